"""Whether the rollout may go on: failures of new replicas against `max_failure_ratio`, and the progress deadline."""

from collections.abc import Iterator

from midair.model.ids import ReplicaId, revision_of
from midair.model.moment import Span
from midair.model.rollout import Failure
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft, spell
from midair.rollout.fleet import Fleet, is_done, monitor_of
from midair.rollout.grow import is_left_alone
from midair.rollout.notice import describe
from midair.rollout.phase import FORWARD
from midair.rollout.turn import turn_round

HOPELESS_S = 10.0  # of failing with nowhere else to go, before it is reported; a restart of what it needs is shorter
HOPELESS_TRIES = 3


def judge_failures(draft: Draft) -> None:
    """Record new failures, and act on them if they are too many. A rollback is never judged."""
    _note_running(draft)
    if draft.back or draft.phase in ("completed", "stuck") or not draft.created:
        return
    known = {(one.replica, one.attempt): one for one in draft.failures}
    for replica in draft.replicas:
        if replica.id not in draft.created or replica.id in draft.stopping or not draft.is_new(replica.id):
            continue
        if replica.since < draft.rollout.started_at:  # what it did before is no failure of this change
            continue
        before = known.get((replica.id, replica.attempt))
        if before is not None and (before.lasted_s is None or replica.since <= before.at):
            continue
        if (failure := _failure(draft, replica, again=before is not None)) is not None:
            draft.failures = (*(one for one in draft.failures if one is not before), failure)
    counted = [one for one in draft.failures if not one.forgiven and one.lasted_s is None]
    failed = {one.replica for one in counted}
    if draft.phase in FORWARD and len(failed) > draft.update.max_failure_ratio * max(1, draft.goal.replicas):
        fail(draft, counted[-1].text)


def _note_running(draft: Draft) -> None:
    """Remember that the last good revision ran, and did not end when its work was done."""
    stable = draft.rollout.stable.revision
    if not draft.replaces_running and stable is not None:
        old = [one for one in draft.replicas if revision_of(one.id) == stable and not draft.is_new(one.id)]
        draft.replaces_running = any(one.state in ("ready", "unhealthy") for one in old)


def _failure(draft: Draft, replica: ReplicaSeen, *, again: bool) -> Failure | None:
    """How a replica made by this change failed, or None.

    A single failure later than `monitor` is none of the change. One more is, if the replica is still the same (`again`)
    or did not last much longer than the first time: it keeps failing.
    """
    if replica.state not in ("exited", "unhealthy"):
        return None
    if is_done(replica, draft.policy):
        # `one_shot` is not known of rollouts that an older midair stored.
        is_job = draft.policy.one_shot or draft.policy.restart.condition == "none"
        if is_job or not draft.replaces_running:
            return None
        text = f'{replica.id} ended with code 0, and what it replaces was running (a job says `restart: "no"`)'
        return Failure(replica.id, replica.attempt, draft.now, text)
    text = f"{replica.id} {describe(replica)}"
    if replica.ready_at is None:
        return Failure(replica.id, replica.attempt, draft.now, f"{text}, before it was ready")
    lasted_s = replica.since - replica.ready_at
    if draft.uses_routes or replica.checked:
        text = f"{text}, {spell(lasted_s)} after it was ready"
    else:  # it was ready because it ran
        text = f"{replica.id} {_after(describe(replica), lasted_s)}"
    if again or lasted_s < monitor_of(draft, replica):
        return Failure(replica.id, replica.attempt, draft.now, text)
    return Failure(replica.id, replica.attempt, draft.now, text, lasted_s=lasted_s)


def _after(text: str, lasted_s: Span) -> str:
    """How something ended, with how long it ran: "exited with code 3 after 0.1s: RuntimeError: boom"."""
    ended, colon, rest = text.partition(": ")
    return f"{ended} after {spell(lasted_s)}{colon}{rest}"


def judge_deadline(draft: Draft, fleet: Fleet, waits: bool) -> None:
    """Fail when what is waited for has not come for `progress_deadline`. More good replicas than ever is progress.

    While nothing is waited for that may never come, the clock stands still: drains and delays end by themselves.
    """
    if draft.phase not in FORWARD and draft.phase != "rolling_back":
        return
    good = len(fleet.good)
    if good > draft.reached:
        draft.reached, draft.waited_s, draft.waiting_since = good, 0.0, None
    if not waits:
        if draft.waiting_since is not None:
            draft.waited_s += draft.now - draft.waiting_since
            draft.waiting_since = None
        return
    if draft.waiting_since is None:
        draft.waiting_since = draft.now
    deadline_s = draft.policy.strategy.progress_deadline_s
    fails_at = draft.waiting_since + deadline_s - draft.waited_s
    if draft.now < fails_at:
        draft.wake(fails_at)
    elif not any(fleet.bakes(one) for one in fleet.new):
        missing = draft.goal.replicas - good
        fail(
            draft,
            f"{missing} of {draft.goal.replicas} replicas not ready {deadline_s:g}s after the last progress"
            + _why(fleet),
            True,
        )


def judge_hopeless(draft: Draft, fleet: Fleet) -> None:
    """Say before the deadline that all that is missing fails again and again, where that leads nowhere else."""
    if draft.phase != "rolling_back" and (
        draft.phase not in FORWARD or draft.policy.update.failure_action != "continue"
    ):
        return
    if len(fleet.good) >= draft.goal.replicas:
        return
    missing = [replica for replica in fleet.new if replica not in fleet.good]
    faults = [_fault(draft, replica) for replica in missing] if missing else [*_failed_starts(draft)]
    reasons = [fault for fault in faults if fault]
    if not reasons or len(reasons) < len(faults):
        return
    due = draft.phase_at + HOPELESS_S if draft.back else draft.rollout.started_at + HOPELESS_S
    if draft.now < due:
        draft.wake(due)
    else:
        fail(draft, reasons[0], True)


def _fault(draft: Draft, replica: ReplicaSeen) -> str:
    """Why a replica is not worth a wait: it fails again and again, or is not started again. "" where it may be."""
    text = f"{replica.id} {describe(replica)}"
    if replica.state == "unhealthy":
        if draft.now >= replica.since + HOPELESS_S:
            return text
        draft.wake(replica.since + HOPELESS_S)
        return ""
    if replica.state != "exited":
        return ""
    if is_left_alone(draft, replica):
        return text
    ends = next((each for each in draft.restarting if each.replica == replica.id), None)
    if ends is not None and ends.at is None and ends.attempt >= replica.attempt:
        return f"{text}, and is not started again"
    return f"{text}, {ends.count} times" if ends is not None and ends.count >= HOPELESS_TRIES else ""


def _failed_starts(draft: Draft) -> Iterator[str]:
    """Why replicas of the goal cannot be started."""
    for trouble in draft.troubles:
        verb, _, replica = trouble.key.partition(" ")
        if verb == "start" and revision_of(ReplicaId(replica)) == draft.goal.revision:
            text = trouble.text if trouble.text.startswith("cannot ") else f"cannot start {replica}: {trouble.text}"
            yield text if trouble.count >= HOPELESS_TRIES else ""


def _why(fleet: Fleet) -> str:
    """What keeps the replicas of the goal from being ready: the last answer of a check, or how one of them ended."""
    waits = [one for one in fleet.new if one.state != "ready" and one.detail]
    failed = [one.text for one in fleet.draft.failures]
    if waits:
        return f": {waits[0].id} {waits[0].detail}"
    return f": {failed[-1]}" if failed else ""


def fail(draft: Draft, reason: str, late: bool = False) -> None:
    """What `failure_action` says; on the way back there is nothing but to go on trying, and to say so.

    That of `update_config`, also for an undo: it is a change, and all of it or nothing.
    """
    if draft.back:
        draft.move("stuck", reason)
    elif draft.policy.update.failure_action == "rollback":
        turn_round(draft, reason)
    elif draft.policy.update.failure_action == "pause":
        draft.move("paused", reason)
    elif late:
        draft.move("stuck", reason)
