"""What happened since the last look: compares the replicas seen with those known, and says it as events."""

from midair.model.event import ReplicaEndedByHand, ReplicaFailed, ReplicaReady, ReplicaStopped
from midair.model.ids import ReplicaId
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft
from midair.rollout.fleet import is_done
from midair.rollout.oneshot import record_done, with_done
from midair.rollout.phase import STEADY
from midair.rollout.reach import note_of
from midair.rollout.retire import stop_of

_KILLED = 137  # the exit code of what SIGKILL ended
_SIGKILL = ("SIGKILL", "KILL", "9")


def notice(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> None:
    """Take over what was seen. Records of replicas that are gone for good are dropped."""
    if replicas and (draft.phase in STEADY or not draft.by_number):  # in between, some are not to be seen yet
        draft.by_number = any(replica.own_volumes for replica in replicas)
    record_done(draft, replicas)
    replicas = with_done(draft, replicas)
    if replicas == draft.replicas:
        return
    known = {one.id: one for one in draft.replicas}
    for replica in replicas:
        before = known.pop(replica.id, None)
        if before is None or _what(before) != _what(replica):
            _tell(draft, replica, before)
    for gone in known.values():
        _forget(draft, gone.id, gone)
    draft.replicas = with_done(draft, replicas) if known else replicas  # what failed hides its record until it is gone


def _what(replica: ReplicaSeen) -> tuple[object, ...]:
    return replica.state, replica.attempt, replica.by_hand


def _tell(draft: Draft, replica: ReplicaSeen, before: ReplicaSeen | None) -> None:
    if replica.state == "ready":
        draft.events.append(ReplicaReady(replica.id, note_of(draft.reachable, replica), draft.policy.one_shot))
    elif replica.state in ("unhealthy", "exited") and (before is not None or replica.id in draft.created):
        asked_for = replica.id in draft.stopping or is_done(replica, draft.policy)
        if not asked_for and replica.by_hand:
            draft.events.append(ReplicaEndedByHand(replica.id, replica.by_hand))
        elif not asked_for:
            draft.events.append(ReplicaFailed(replica.id, describe(replica)))


def _forget(draft: Draft, gone: ReplicaId, last: ReplicaSeen) -> None:
    if gone in draft.stopping:
        draft.events.append(_stopped(draft, last))
        draft.stopping = tuple(one for one in draft.stopping if one != gone)
    if gone in draft.created:
        draft.created = tuple(one for one in draft.created if one != gone)
    draft.draining = tuple(one for one in draft.draining if one.replica != gone)
    draft.replaces = tuple(one for one in draft.replaces if one != gone)  # the next of this name is another replica
    draft.restarting = tuple(one for one in draft.restarting if one.replica != gone)


def _stopped(draft: Draft, last: ReplicaSeen) -> ReplicaStopped:
    """How a replica that was to stop has ended. Nothing but the end of its grace period sends it SIGKILL."""
    code = last.exit_code if last.state == "exited" else None
    code = 128 - code if code is not None and code < 0 else code
    stop = stop_of(draft, last)
    if last.by_hand:
        return ReplicaStopped(last.id, code)
    if not last.killed and (code != _KILLED or stop.signal in _SIGKILL):
        return ReplicaStopped(last.id, code)
    return ReplicaStopped(last.id, code, stop.grace_s, stop.signal)


def describe(replica: ReplicaSeen) -> str:
    """What is wrong with a replica, for people."""
    if replica.by_hand:
        return f"{replica.by_hand} by hand"
    if replica.state == "unhealthy":
        return f"unhealthy: {replica.detail}" if replica.detail else "unhealthy"
    code = replica.exit_code
    ended = "ended" if code is None else f"killed by signal {-code}" if code < 0 else f"exited with code {code}"
    return replica.detail or ended
