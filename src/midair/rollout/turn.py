"""Turning round: the goal is swapped for the last good one. What runs next is the same program."""

from msgspec.structs import replace

from midair.model.rollout import Policy
from midair.rollout.draft import Draft
from midair.rollout.oneshot import with_done


def turn_round(draft: Draft, reason: str) -> None:
    """Go back to the last good revision, with the settings that belong to it."""
    assert not draft.back, "a rollback is never rolled back"
    draft.move("rolling_back", reason)
    draft.alone = "recreate" in (draft.policy.strategy.kind, draft.rollout.stable_policy.strategy.kind)
    before = {one.replica for one in draft.done_before}
    # What a restart has not replaced yet is as good as what it has, but for those that failed.
    failed = {one.id for one in draft.replicas if one.state in ("exited", "unhealthy")} | before
    draft.replaces = tuple(one for one in draft.created if one in failed)
    draft.done = (*draft.done_before, *(one for one in draft.done if one.replica not in before))
    draft.done_before = ()
    draft.goal = draft.rollout.stable
    draft.policy = _policy_of_stable(draft)
    draft.back = draft.goes_back = True
    draft.created = ()
    draft.promoted = False
    draft.waiting_since = None
    draft.waited_s = 0.0
    draft.reached = draft.step = 0
    draft.step_at = draft.now
    draft.replicas = with_done(draft, draft.replicas)


def _policy_of_stable(draft: Draft) -> Policy:
    """The settings of the last good revision. Those of an older midair lack the pace back: today's change has it."""
    stable = draft.rollout.stable_policy
    return stable if stable.all_return is not None else replace(stable, all_return=draft.policy.all_return)
