"""A plan as lines for people. What goldens compare is exactly this text."""

from collections.abc import Iterable, Sequence

from midair.model.plan import FieldChange, Plan, PlanStep


def render(plan: Plan) -> str:
    """The plan in aligned columns: services, then their fields with class and cause, then what else to know."""
    lines = [*_steps(plan.steps), *(f"flag  {text}" for text in plan.flags), *_notes(plan)]
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


def _notes(plan: Plan) -> Iterable[str]:
    yield from (f"drift: {text}" for text in plan.drift)
    yield from (f"warning: {text}" for text in plan.warnings)
    yield from (f"confirm: {asked.service} {asked.text} [{asked.kind}]" for asked in plan.confirmations)
    yield from (f"refused: {text}" for text in plan.refusals)


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
