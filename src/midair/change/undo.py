"""Which change an undo takes back, and which services have passed in the state that it goes to.

That state is the `before` of the change.
"""

from collections.abc import Callable, Sequence

from midair.errors import Conflict, NotFound
from midair.model.change import Change
from midair.model.project import Applied

_NO_EFFECT = ("rolled_back", "rolling_back", "superseded")


def undo_target(
    history: Sequence[Change],
    number: int | None = None,
    makes_no_difference: Callable[[Change], bool] = lambda change: False,
) -> Change:
    """The last change that is neither an undo nor undone already; or change `number`, with all that came after it.

    One before which everything was as it is now is passed over, so that repeating an undo always gets further back.
    Raises NotFound or Conflict when there is none such.
    """
    target = _last(history, makes_no_difference) if number is None else _numbered(history, number)
    if number is not None and target.kind == "restart" and makes_no_difference(target):
        raise Conflict(
            f"cannot undo change {number}: a restart changes nothing that could be taken back",
            hint="run midair undo to take back the change before it",
        )
    if target.before is None:
        raise Conflict(
            f"cannot undo change {target.id}: there is nothing before it", hint="run midair down to take it all away"
        )
    return target


def _last(history: Sequence[Change], makes_no_difference: Callable[[Change], bool]) -> Change:
    undone_from: int | None = None  # changes with this number or a higher one are undone
    for change in sorted(history, key=lambda one: -one.id):
        if change.phase in _NO_EFFECT or (undone_from is not None and change.id >= undone_from):
            continue
        if change.undoes is not None:
            undone_from = change.undoes
        elif change.before is None or not makes_no_difference(change):
            return change
    raise Conflict("cannot undo: there is no change left to take back", hint="run midair history to see them")


def _numbered(history: Sequence[Change], number: int) -> Change:
    target = next((one for one in history if one.id == number), None)
    if target is None:
        raise NotFound(f"cannot undo change {number}: there is no such change", hint="run midair history to see them")
    if target.phase in _NO_EFFECT:
        raise Conflict(f"cannot undo change {number}: it had no effect, it is {target.phase}")
    return target


def returning(history: Sequence[Change], after: Applied) -> frozenset[str]:
    """The services whose revision in `after` has passed: some change that brought it was completed."""
    completed = [change.after for change in history if change.phase == "completed"]
    completed += [change.before for change in history if change.before is not None]  # the last completed state, then
    return frozenset(
        name
        for name, revision in after.revisions.items()
        if any(name in state.revisions and state.revisions[name].id == revision.id for state in completed)
    )
