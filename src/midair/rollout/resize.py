"""Limits that change while a replica runs. The runtime says which replicas are not as they should be."""

from midair.model.action import ResizeReplica
from midair.model.event import ReplicaResizing
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft
from midair.rollout.judge import fail
from midair.rollout.phase import FORWARD

_TRIES = 3  # a limit that was refused so often will not be taken


def judge_resizing(draft: Draft) -> None:
    """Limits that are refused again and again fail the rollout."""
    keys = {ResizeReplica(one.id).key for one in draft.replicas if one.resize}
    refused = [one for one in draft.seen.troubles if one.key in keys and one.count >= _TRIES]
    if refused and draft.phase in FORWARD:
        fail(draft, refused[0].text)


def resize_kept(draft: Draft, kept: list[ReplicaSeen]) -> int:
    """Ask for other limits where they are needed. Returns how many replicas are not as they should be."""
    wrong = [one for one in kept if one.resize and one.state not in ("stopping", "exited")]
    tried = {trouble.key for trouble in draft.seen.troubles}
    for replica in wrong:
        action = ResizeReplica(replica.id)
        if draft.act(action) and action.key not in tried:
            draft.events.append(ReplicaResizing(replica.id))
    return len(wrong)
