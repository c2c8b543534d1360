"""Whether the rollout may go on: failures of new replicas against `max_failure_ratio`, and the progress deadline."""

from midair.model.ids import revision_of
from midair.model.rollout import Failure
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft, spell
from midair.rollout.fleet import Fleet, is_done, passes_at
from midair.rollout.notice import describe
from midair.rollout.phase import FORWARD
from midair.rollout.turn import turn_round


def judge_failures(draft: Draft) -> None:
    """Record new failures, and act on them if they are too many. A rollback is never judged."""
    if draft.back or draft.phase in ("completed", "stuck") or not draft.created:
        return
    revision = draft.goal.revision
    known = {(one.replica, one.attempt) for one in draft.failures}
    for replica in draft.replicas:
        if replica.id not in draft.created or replica.id in draft.stopping or revision_of(replica.id) != revision:
            continue
        if replica.since < draft.rollout.started_at:  # what it did before is no failure of this change
            continue
        text = _failure(draft, replica)
        if text is not None and (replica.id, replica.attempt) not in known:
            draft.failures += (Failure(replica.id, replica.attempt, draft.now, text),)
    counted = [one for one in draft.failures if not one.forgiven]
    failed = {one.replica for one in counted}
    if draft.phase in FORWARD and len(failed) > draft.update.max_failure_ratio * max(1, draft.goal.replicas):
        fail(draft, counted[-1].text)


def _failure(draft: Draft, replica: ReplicaSeen) -> str | None:
    """How a replica made by this change failed, or None."""
    if replica.state not in ("exited", "unhealthy") or is_done(replica, draft.policy):
        return None
    if replica.ready_at is None:
        return f"{replica.id} {describe(replica)}, before it was ready"
    if replica.since >= passes_at(replica, draft.update.monitor_s):
        return None
    return f"{replica.id} {describe(replica)}, {spell(replica.since - replica.ready_at)} after it was ready"


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
            f"{missing} of {draft.goal.replicas} replicas not ready {deadline_s:g}s after the last progress",
            True,
        )


def fail(draft: Draft, reason: str, late: bool = False) -> None:
    """What `failure_action` says; on the way back there is nothing but to go on trying, and to say so."""
    if draft.back:
        draft.move("stuck", reason)
    elif draft.update.failure_action == "rollback":
        turn_round(draft, reason)
    elif draft.update.failure_action == "pause":
        draft.move("paused", reason)
    elif late:
        draft.move("stuck", reason)
