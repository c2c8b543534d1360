"""A plan as lines for people. What goldens compare is exactly this text."""

from collections.abc import Iterable, Sequence

from midair.model.plan import FieldChange, Plan, PlanStep

CODE = "build (code)"  # the field of a step whose code is another
ONCE = "runs once"  # what becomes of a job
DONE = "has completed for this revision, is not run again"  # how a step goes on with a job that has done its work


def render(plan: Plan, *, repeated: bool = True) -> str:
    """The plan in aligned columns: services, then their fields with class and cause, then what else to know.

    Without `repeated`, what an earlier change has shown in the same words is counted in one line.
    """
    lines = [*_steps(plan.steps), *(f"flag  {text}" for text in plan.flags), *_notes(plan, repeated)]
    return "\n".join(lines) if lines else "nothing to do"


def _steps(steps: tuple[PlanStep, ...]) -> Iterable[str]:
    heads = [(step.service, step.field_class or step.kind, _revisions(step), step.how) for step in steps]
    for step, line in zip(steps, _aligned(heads), strict=True):
        yield line
        rows = [(_what(change), change.field_class, change.cause) for change in step.changes]
        yield from (f"    {row}" for row in _aligned(rows))


def _revisions(step: PlanStep) -> str:
    """What is there now and what will be, if that is not the same."""
    if step.before and step.after and step.before != step.after:
        return f"{step.before} → {step.after}"
    return step.after or step.before or ""


def _what(change: FieldChange) -> str:
    """The field and what became of it; the values only where the plan holds them."""
    if change.before is not None and change.after is not None:
        return f"{change.path} {change.before} → {change.after}"
    shown = change.after if change.after is not None else change.before
    return f"{change.path} {change.kind}" + (f" ({shown})" if shown is not None else "")


def _notes(plan: Plan, repeated: bool) -> Iterable[str]:
    hidden = () if repeated else plan.repeated
    yield from (f"drift: {text}" for text in plan.drift)
    yield from (f"note: {text}" for text in plan.notes if text not in hidden)
    yield from (f"warning: {text}" for text in (*plan.troubles, *plan.warnings) if text not in hidden)
    if warnings := sum(text in hidden for text in plan.warnings):
        yield f"{warnings} warning{'s' if warnings > 1 else ''} as before: midair plan"
    yield from (f"confirm: {asked.service} {asked.text} [{asked.kind}]" for asked in plan.confirmations)
    yield from (f"refused: {text}" for text in plan.refusals)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
