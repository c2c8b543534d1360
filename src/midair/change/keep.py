"""Which changes stay in the history: flags, scaling and failures push no code out of it. Pure."""

from collections.abc import Sequence

from midair.model.change import Change
from midair.model.ids import ChangeId

NEWEST = 30  # of any kind
# Changes that brought other revisions: at least ten of them can be undone, also when every second one is an undo.
WITH_REVISIONS = 30
_NO_EFFECT = ("rolled_back", "superseded")


def to_keep(history: Sequence[Change]) -> frozenset[ChangeId]:
    """The changes of a project that are kept, of all on record, oldest first."""
    with_revisions = [change for change in history if change.phase not in _NO_EFFECT and _brings_revisions(change)]
    return frozenset(change.id for change in (*history[-NEWEST:], *with_revisions[-WITH_REVISIONS:]))


def _brings_revisions(change: Change) -> bool:
    before = change.before.revisions if change.before is not None else {}
    after = change.after.revisions
    return {name: one.id for name, one in before.items()} != {name: one.id for name, one in after.items()}
