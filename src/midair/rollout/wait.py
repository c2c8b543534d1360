"""Why a replica is not ready yet, as an event: soon, and again when the reason is another one, but not all the time."""

from midair.model.event import ReplicaWaiting
from midair.model.rollout import Waiting
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft

SOON_S = 0.8  # most replicas are ready by then, and what they refuse before is of no interest
AGAIN_S = 3.0  # between two reasons of one replica


def report_waits(draft: Draft) -> None:
    """Report the reasons of the replicas that this change made and that are not ready."""
    if not draft.waits and all(one.state != "starting" for one in draft.replicas):
        return
    waits = [_wait(draft, replica) for replica in draft.replicas if _is_waiting(draft, replica)]
    draft.waits = tuple([one for one in waits if one is not None])


def _is_waiting(draft: Draft, replica: ReplicaSeen) -> bool:
    return replica.state == "starting" and replica.id in draft.created and replica.id not in draft.stopping


def _wait(draft: Draft, replica: ReplicaSeen) -> Waiting | None:
    key = (replica.id, replica.attempt)
    before = next((one for one in draft.waits if (one.replica, one.attempt) == key), None)
    if not replica.detail or (before is not None and before.reason == replica.detail):
        return before
    due = replica.since + SOON_S if before is None else before.at + AGAIN_S
    if draft.now < due:
        draft.wake(due)
        return before
    draft.events.append(ReplicaWaiting(replica.id, replica.detail))
    return Waiting(*key, replica.detail, draft.now)
