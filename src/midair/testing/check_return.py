"""What holds on the way back to a revision that has passed: by a rollback, or by an undo."""

from midair.model.action import StartReplica
from midair.model.ids import ReplicaId, revision_of
from midair.model.moment import Span
from midair.model.project import Update
from midair.model.rollout import Rollout, Step
from midair.model.seen import Seen
from midair.testing.violation import Violation


def goes_back(rollout: Rollout) -> bool:
    """Whether it goes to a revision that has passed before."""
    return rollout.back or rollout.returns


def settings_of(rollout: Rollout) -> Update:
    """The settings that are to be in force."""
    return rollout.policy.rollback if goes_back(rollout) else rollout.policy.update


def monitor_of(rollout: Rollout) -> Span:
    """How long a new replica is to be watched."""
    return 0.0 if goes_back(rollout) else rollout.policy.update.monitor_s


def pace_of(rollout: Rollout, by_number: bool) -> int:
    """How many replicas may be exchanged together."""
    update = settings_of(rollout)
    pace = update.parallelism
    if goes_back(rollout) and rollout.policy.all_return:
        stops_first = update.order == "stop-first" or by_number
        pace = rollout.policy.update.parallelism if stops_first else 0
    return pace or max(1, rollout.goal.replicas)


def what_returns_is_quick(before: Rollout, seen: Seen, step: Step, by_number: bool) -> None:
    """All come back at once where nothing speaks against it, and none is watched a second time."""
    after, wanted = step.rollout, step.rollout.goal.replicas
    if not goes_back(after) or after.phase not in ("progressing", "baking", "rolling_back") or seen.replicas is None:
        return
    if any(one.lasted_s is not None for one in after.failures):
        return  # it failed after a while, and has to last longer than that now
    if after.phase == "baking":
        raise Violation("what returns is not watched", f"{after.service} bakes")
    new = {one.id for one in seen.replicas if revision_of(one.id) == after.goal.revision}
    _the_old_leave_with_it(seen, after, new)
    update = settings_of(after)
    is_free = after.policy.all_return and update.order == "start-first" and not by_number and not seen.starting
    if not is_free or after.alone or after.policy.strategy.kind == "recreate" or seen.troubles or after.policy.waits:
        return
    if before.phase != after.phase or (seen.route is None and after.asked is not None):
        return
    started = {one.replica for one in step.actions if isinstance(one, StartReplica)}
    # On the way forward one that ended is counted, too: it may come back.
    alive = {one.id for one in seen.replicas if one.state != "exited" or not after.back} | new | started
    if len(new | started) < wanted and len(alive) < 2 * wanted and not before.stopping:
        raise Violation("what returns comes back at once", f"{sorted(new | started)} of {wanted}, {len(alive)} alive")


def _the_old_leave_with_it(seen: Seen, after: Rollout, new: set[ReplicaId]) -> None:
    """No request goes to another revision once all of the last good one serve."""
    if seen.route is None or after.asked is None or seen.route.settled != after.generation:
        return
    serving = {route.replica: route.address for route in seen.route.routes}
    ready = [one for one in seen.replicas or () if one.id in new and one.state == "ready"]
    good = [one for one in ready if serving.get(one.id) == one.address and one.id not in after.stopping]
    others = [route.replica for route in after.routes if revision_of(route.replica) != after.goal.revision]
    if len(good) >= after.goal.replicas > 0 and others:
        raise Violation("what returns is not watched", f"{others} still serve")
