"""Ending replicas, in order: out of the routes, the router confirms it, requests inside end, then stop, then forget.

A replica may be stopped only if
(a) the router's settled generation is the last one asked for, so that no older routes are still on their way,
(b) the settled routes do not contain the replica,
(c) its open requests, measured at that generation, are 0, or its drain deadline has passed. While requests are held, a
    connection that had waited for an answer before has used up that part of its time.
"""

import msgspec

from midair.model.action import RemoveReplica, StopReplica
from midair.model.event import ReplicaDraining, ReplicaStopping
from midair.model.ids import ReplicaId, revision_of
from midair.model.rollout import Draining
from midair.model.seen import ReplicaSeen, RouteSeen
from midair.rollout.draft import Draft

POLITE_S = 1.0  # after the drain deadline, for the router's polite closing of long-lived connections to be over


def retire(draft: Draft, leaving: list[ReplicaSeen], ending: list[ReplicaSeen]) -> None:
    """Move each replica that leaves one step further, as far as it is safe."""
    ids = {one.id for one in leaving}
    draft.draining = tuple(one for one in draft.draining if one.replica in ids)  # what is kept again drains no more
    for replica in leaving:
        if replica.state == "exited":
            forget(draft, replica)
            continue
        entry = _drain(draft, replica)
        cut = may_stop(draft, entry, replica)
        if cut is not None and draft.act(stop_of(draft, replica)):
            draft.stopping += (replica.id,)
            draft.draining = tuple(one for one in draft.draining if one.replica != replica.id)
            draft.events.append(ReplicaStopping(replica.id, cut))
    for replica in ending:
        if replica.state == "exited":
            forget(draft, replica)
        elif replica.state != "stopping" and _stop_is_due(draft, replica):
            draft.act(stop_of(draft, replica))


def _stop_is_due(draft: Draft, replica: ReplicaSeen) -> bool:
    """Whether a stop that was decided is asked for once more. Routes that need its port settle only after its end."""
    return replica.published or may_stop(draft, Draining(replica.id, 0, draft.now - 1e9), replica) is not None


def forget(draft: Draft, replica: ReplicaSeen) -> None:
    """Remove an ended replica. Not while routes lead to it: what it leaves, its port too, may be given to another."""
    settled = draft.settled
    if not draft.uses_routes or (settled is not None and not _leads_to(settled, replica.id)):
        removed = draft.act(RemoveReplica(replica.id))
        if removed and replica.id not in draft.stopping:
            draft.stopping += (replica.id,)  # never routed again, even if old news has it ready


def _leads_to(settled: RouteSeen, replica: ReplicaId) -> bool:
    return any(route.replica == replica for route in settled.routes)


def may_stop(draft: Draft, entry: Draining, replica: ReplicaSeen) -> int | None:
    """How many requests a stop would cut now (0 but for a passed deadline); None: it must wait.

    Of a replica that clients reach past the router only the requests by name are known.
    """
    if not draft.uses_routes:
        return 0
    settled = draft.settled
    if settled is None or _leads_to(settled, entry.replica):
        return None
    inside = settled.open.get(entry.replica, 0)
    if inside == 0:
        return 0
    if draft.policy.drain.long_lived == "wait" or entry.since is None:
        return None
    if settled.hold and not settled.routes and inside <= settled.overdue.get(entry.replica, 0):
        return inside  # others are held for answers that may never come: a consumer that waits for a job
    deadline = entry.since + draft.policy.drain.timeout_s + POLITE_S
    if draft.now < deadline:
        draft.wake(deadline)
        return None
    return inside


def stop_of(draft: Draft, replica: ReplicaSeen) -> StopReplica:
    """The stop of a replica, by the settings that belong to its revision."""
    is_new = revision_of(replica.id) == draft.goal.revision
    policy = draft.policy if is_new else draft.rollout.stable_policy
    return StopReplica(replica.id, policy.stop_signal, policy.stop_grace_s)


def _drain(draft: Draft, replica: ReplicaSeen) -> Draining:
    """The record of a replica that leaves: made when it is first out of the routes, dated when that has settled."""
    entry = next((one for one in draft.draining if one.replica == replica.id), None)
    if entry is None:
        entry = Draining(replica.id, draft.generation)
        if any(route.replica == replica.id for route in draft.rollout.routes):
            draft.events.append(ReplicaDraining(replica.id))
    settled = draft.seen.route
    if entry.since is None and settled is not None and settled.settled >= entry.generation:
        entry = msgspec.structs.replace(entry, since=draft.now)
    draft.draining = (*(one for one in draft.draining if one.replica != replica.id), entry)
    return entry
