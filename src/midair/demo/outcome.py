"""How a chapter of the demo went, and the table of all of them."""

import click
import msgspec

from midair.cli import out
from midair.model.plan import Plan
from midair.model.seen import Tally


class Outcome(msgspec.Struct, frozen=True):
    """One row of the table."""

    title: str
    how: str
    seconds: float
    tally: Tally
    ok: bool  # it ended as it should have
    reason: str = ""  # why not


def how(plan: Plan, *, ends: str) -> str:
    """What kind of change it was, from its plan."""
    if ends == "rolled_back":
        return "rolled back by itself"
    if plan.flags:
        return "live, no replica touched"
    kinds = {step.field_class or step.kind for step in plan.steps if step.kind != "keep"}
    words = {
        "add": "started", "replace": "new replicas first", "recreate": "stopped first, requests held", "live": "live",
        "remove": "removed",
    }  # fmt: skip
    return ", ".join(sorted(words.get(kind, kind) for kind in kinds)) or "replicas added or drained"


def table(outcomes: list[Outcome]) -> list[str]:
    """What changed, how, how long, and what it cost."""
    rows = [
        (
            each.title if each.ok else click.style(each.title, fg="red"),
            each.how,
            f"{each.seconds:.1f}s",
            f"{each.tally.accepted:,}",
            click.style(f"{each.tally.lost:,}", fg="red" if each.tally.lost else "green"),
        )
        for each in outcomes
    ]
    return out.table(("WHAT CHANGED", "HOW", "TOOK", "ACCEPTED", "LOST"), rows, right=("TOOK", "ACCEPTED", "LOST"))
