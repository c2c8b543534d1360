"""Which replica a command is run in, when somebody asks for one of a service."""

from collections.abc import Iterable

from midair.model.ids import RevisionId, ordinal_of, revision_of
from midair.model.seen import ReplicaSeen

_ALIVE = ("ready", "unhealthy", "starting")  # the better ones first; one that is to end is none


def command_target(
    replicas: Iterable[ReplicaSeen], goal: RevisionId | None, number: int | None = None
) -> ReplicaSeen | None:
    """A ready one of the revision that is wanted, else what comes nearest. `number`: that one, counted from 1."""
    alive = [replica for replica in replicas if replica.state in _ALIVE]
    if number is not None:
        alive = [replica for replica in alive if ordinal_of(replica.id) == number - 1]

    def rank(replica: ReplicaSeen) -> tuple[bool, int, int]:
        return revision_of(replica.id) != goal, _ALIVE.index(replica.state), ordinal_of(replica.id)

    ready = [replica for replica in alive if replica.state == "ready"]
    return min(ready or alive, key=rank, default=None)
