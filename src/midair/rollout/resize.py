"""Limits that change while a replica runs. The runtime says which replicas are not as they should be."""

from midair.model.action import ResizeReplica
from midair.model.event import ReplicaResized
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft, find
from midair.rollout.judge import fail
from midair.rollout.phase import FORWARD

_TRIES = 3  # a limit that was refused so often will not be taken


def judge_resizing(draft: Draft) -> None:
    """Limits that are refused again and again fail the rollout; on its way back it is stuck, and goes on trying."""
    keys = {ResizeReplica(one.id).key for one in draft.replicas if _is_wrong(draft, one)}
    refused = [one for one in draft.troubles if one.key in keys and one.count >= _TRIES]
    if refused and (draft.phase in FORWARD or draft.phase == "rolling_back"):
        fail(draft, refused[0].text, late=True)  # it will not get better by going on


def resize_kept(draft: Draft, kept: list[ReplicaSeen]) -> int:
    """Ask for other limits where they are needed. Returns how many replicas are not as they should be."""
    wrong = [one for one in kept if _is_wrong(draft, one)]
    for replica in wrong:
        draft.act(ResizeReplica(replica.id))
    for replica in kept:
        before = find(draft.rollout.replicas, replica.id)
        if before is not None and before.resize and not replica.resize:
            draft.events.append(ReplicaResized(replica.id))
    return len(wrong)


def _is_wrong(draft: Draft, replica: ReplicaSeen) -> bool:
    """Whether it is to have other limits: what is on its way out keeps those it has."""
    stays = draft.is_new(replica.id) and replica.state not in ("stopping", "exited")
    return stays and replica.resize
