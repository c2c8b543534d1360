"""The one entry of the core: what was seen in, what to do out. All branching on the phase as a whole is here."""

from midair.model.moment import Moment
from midair.model.rollout import Phase, Rollout, Step
from midair.model.seen import ReplicaSeen, Seen
from midair.rollout.draft import Draft
from midair.rollout.fleet import Fleet
from midair.rollout.front import is_front_settled, keep_front
from midair.rollout.gate import verdict
from midair.rollout.grow import restart_ended, room, start_missing
from midair.rollout.judge import fail, judge_deadline, judge_failures, judge_hopeless
from midair.rollout.notice import notice
from midair.rollout.oneshot import with_done
from midair.rollout.phase import STEADY
from midair.rollout.reach import ask_reach, combined, note_reached
from midair.rollout.resize import judge_resizing, resize_kept
from midair.rollout.retire import retire
from midair.rollout.route import ask_again, ask_routes, in_force, look_again_soon
from midair.rollout.strategy import Target, target
from midair.rollout.wait import report_waits


def advance(rollout: Rollout, seen: Seen, now: Moment) -> Step:
    """Decide the next step from everything that is known. Without change in `seen` it ends in a step that does nothing.

    Persist the step, then perform its actions. Call it again when something changes and at `wake_at`.
    """
    if rollout.phase == "superseded":
        return Step(rollout)
    draft = Draft(rollout, seen, now)
    if seen.replicas is None:  # unknown is not absent: change nothing, but keep asking for what was decided
        ask_again(draft)
        look_again_soon(draft)
        return draft.freeze()
    if draft.phase == "pending":
        draft.move("progressing", "begun")
    note_reached(draft, seen.replicas)
    notice(draft, combined(draft, seen.replicas))
    judge_failures(draft)
    _judge_analysis(draft)
    judge_resizing(draft)
    fleet, wanted = _plan(draft)
    if draft.policy is not rollout.policy:  # it was turned round, maybe to other ports
        note_reached(draft, seen.replicas)
        draft.replicas = with_done(draft, combined(draft, seen.replicas))
        fleet = Fleet(draft)
        wanted = target(draft, fleet)
    _take_step(draft, wanted)
    kept, leaving = _choose(fleet, wanted)
    keep_front(draft, fleet)
    start_missing(draft, fleet, wanted)
    restart_ended(draft, kept)
    judge_hopeless(draft, fleet)
    resizing = resize_kept(draft, kept)
    ask_routes(draft, kept, leaving, wanted.weight)
    retire(draft, leaving, fleet.ending)
    ask_reach(draft, seen.replicas)
    report_waits(draft)
    _settle(draft, fleet, bool(leaving) or resizing > 0)
    if seen.route is None and draft.uses_routes:
        look_again_soon(draft)
    return draft.freeze()


def _plan(draft: Draft) -> tuple[Fleet, Target]:
    """What to want now; if the deadline has passed meanwhile, what to want after turning round."""
    fleet = Fleet(draft)
    wanted = target(draft, fleet)
    before = draft.phase
    known = draft.seen.route is not None or not draft.uses_routes
    lacks = room(fleet, wanted) > 0 or len(fleet.good) < min(len(fleet.new), draft.goal.replicas)
    judge_deadline(draft, fleet, waits=lacks and known)
    if draft.phase == before:
        return fleet, wanted
    fleet = Fleet(draft)
    return fleet, target(draft, fleet)


def _choose(fleet: Fleet, wanted: Target) -> tuple[list[ReplicaSeen], list[ReplicaSeen]]:
    """Which replicas stay and which leave. An old one that neither serves nor soon will is not worth a place."""
    draft = fleet.draft
    if draft.uses_routes and draft.seen.route is None:  # who serves is not known: nobody leaves, nobody comes back
        draining = {one.replica for one in draft.draining}
        useful = fleet.new + [one for one in fleet.old if fleet.is_useful(one)]
        leaving = [one for one in fleet.new + fleet.old if one.id in draining]
        return [one for one in useful if one.id not in draining], leaving
    new = fleet.ranked_new()
    old = fleet.ranked_old()
    useful = [one for one in old if fleet.is_useful(one)] if fleet.draft.phase != "paused" else old
    useless = [one for one in old if not fleet.is_useful(one)] if fleet.draft.phase != "paused" else []
    limit = max(fleet.draft.goal.replicas, wanted.new)
    return new[:limit] + useful[: wanted.old], new[limit:] + useful[wanted.old :] + useless


def _judge_analysis(draft: Draft) -> None:
    """A failed analysis at the present step fails the rollout."""
    steps = draft.policy.strategy.steps
    if draft.goes_back or draft.phase in ("paused", "completed", "stuck") or draft.step >= len(steps):
        return
    name = steps[draft.step].analysis
    if name is not None and verdict(draft, name) == "back":
        fail(draft, f'analysis "{name}" failed')


def _take_step(draft: Draft, wanted: Target) -> None:
    if wanted.step != draft.step:
        draft.step, draft.step_at = wanted.step, draft.now
        draft.wake(draft.now)
    if wanted.wake_at is not None:
        draft.wake(wanted.wake_at)


def _settle(draft: Draft, fleet: Fleet, leaves: bool) -> None:
    """Name the phase that was found, and come back when a new replica will have passed."""
    baking = [one for one in fleet.new if fleet.bakes(one)]
    for replica in baking:
        draft.wake(fleet.passes_at(replica))
    if draft.phase in STEADY or draft.phase == "paused" or (draft.uses_routes and draft.seen.route is None):
        return
    phase, reason = _phase(draft, fleet, leaves)
    draft.move(phase, reason)


def _phase(draft: Draft, fleet: Fleet, leaves: bool) -> tuple[Phase, str]:
    wanted = draft.goal.replicas
    all_good = len(fleet.good) >= wanted
    if all_good and not (leaves or fleet.old or fleet.ending) and in_force(draft) and is_front_settled(draft):
        if draft.back:
            return "rolled_back", draft.reason
        return "completed", "only the goal is there"
    if draft.back or draft.phase == "stuck":
        return draft.phase, draft.reason
    if all_good:
        return "promoting", "every new replica is good"
    if len(fleet.new) >= wanted and all(one.state == "ready" and fleet.serves(one) for one in fleet.new):
        return "baking", "every new replica is ready"
    return "progressing", "a new replica is missing"
