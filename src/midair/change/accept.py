"""How a change comes to be, and what becomes of the one it interrupts."""

from collections.abc import Iterable

from msgspec.structs import replace

from midair.model.change import Change, ChangeKind
from midair.model.ids import ChangeId
from midair.model.moment import Moment
from midair.model.plan import Plan
from midair.model.project import Applied
from midair.model.seen import Tally


def accept(
    before: Applied | None,
    after: Applied,
    plan: Plan | None,
    previous: Change | None,
    *,
    number: int,
    now: Moment,
    kind: ChangeKind = "up",
    by: str = "",
    summary: str = "",
    undoes: ChangeId | None = None,
    returns: Iterable[str] = (),
    restarts: Iterable[str] = (),
    baseline: Tally | None = None,
    token: str = "",
    why: str = "",
) -> Change:
    """A change from `before`, the last completed state, to `after`.

    `returns`: the services whose revision has passed before, where this is an undo.
    If `previous` is still under way, the way back leads to where that one would have gone back to.
    """
    return Change(
        id=ChangeId(number),
        project=after.project.name,
        kind=kind,
        phase="pending",
        created_at=now,
        after=after,
        before=previous.before if previous is not None and previous.ended_at is None else before,
        plan=plan,
        summary=summary,
        by=by,
        undoes=undoes,
        returns=tuple(sorted(returns)),
        restarts=tuple(sorted(restarts)),
        baseline=baseline or Tally(),
        token=token,
        why=why,
    )


def supersede(change: Change, by: Change, now: Moment) -> Change:
    """A change that is under way, ended by another one that takes over what it made."""
    assert change.ended_at is None, f"change {change.id} has ended"
    return replace(change, phase="superseded", ended_at=now, waits_for="", reason=f"change {by.id} took over")
