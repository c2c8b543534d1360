"""Liveness: after the faults have stopped every change ends, and the world is what the last one says."""

from midair.model.ids import revision_of
from midair.model.project import Service
from midair.model.rollout import Rollout
from midair.rollout.phase import STEADY
from midair.testing.body import Quality
from midair.testing.plane import Plane
from midair.testing.violation import Violation
from midair.testing.world import TOO_LITTLE, World


def check_end(plane: Plane, world: World, undisturbed: bool) -> None:
    """All of them. `undisturbed`: nothing failed by itself, and the operator asked for nothing but changes."""
    every_change_ends(plane, world)
    requests_add_up(world)
    for rollout in plane.rollouts.values():
        if rollout.phase != "stuck":
            the_goal_is_reached(rollout, world)
    the_last_good_state_is_there(plane)
    if undisturbed:
        the_outcome_is_right(plane, world)


def every_change_ends(plane: Plane, world: World) -> None:
    """Completed or rolled back, with all its rollouts; stuck only where the last good state is not good at all."""
    change = plane.change
    if change is None:
        return
    phases = {name: (one.phase, one.reason) for name, one in plane.rollouts.items()}
    stuck = [one for one in plane.rollouts.values() if one.phase == "stuck"]
    if stuck and all(_is_hopeless(one, world) for one in stuck):
        return
    if change.ended_at is None:
        raise Violation("every change ends", f"change {change.id} is {change.phase} {change.reason}: {phases}")
    if any(one.phase not in STEADY for one in plane.rollouts.values()):
        raise Violation("every rollout ends", f"{phases}")


def _is_hopeless(rollout: Rollout, world: World) -> bool:
    revision = rollout.goal.revision
    is_bad = revision is not None and world.quality[revision] != "good"
    return is_bad or world.limits.get(rollout.service) == TOO_LITTLE


def requests_add_up(world: World) -> None:
    """accepted = answered + lost + inside."""
    inside = sum(len(body.requests) for bodies in world.bodies.values() for body in bodies.values())
    if world.accepted > world.answered + world.lost + inside:
        raise Violation("requests add up", f"{world.accepted} accepted, {world.answered} + {world.lost} + {inside}")


def the_goal_is_reached(rollout: Rollout, world: World) -> None:
    """What runs is the goal and nothing else; what is ready is routed."""
    bodies = world.bodies[rollout.service].values()
    goal = rollout.goal
    strangers = [one.id for one in bodies if revision_of(one.id) != goal.revision]
    if strangers:
        raise Violation("nothing is left over", f"{strangers} beside {goal}")
    front = world.fronts.seen(rollout.service)
    wanted = rollout.policy.front and goal.revision is not None
    if wanted != (front is not None and front.fit):
        raise Violation("the front is there in the end", f"{rollout.service}: {front}, wanted: {wanted}")
    if goal.revision is not None and world.quality[goal.revision] == "good":
        ready = {one.id: one.address for one in bodies if one.state == "ready"}
        if len(ready) != goal.replicas or len(bodies) != goal.replicas:
            raise Violation("the goal is reached", f"{[(one.id, one.state) for one in bodies]}, not {goal}")
        routed = {one.replica: one.address for one in world.tables[rollout.service].settled.routes}
        if rollout.asked is not None and routed != ready:
            raise Violation("the goal is reached", f"routes {routed}, ready {ready}")
        the_settings_are_taken(rollout, world)


def the_settings_are_taken(rollout: Rollout, world: World) -> None:
    """Replicas have their limits, or it is said; published ports are the router's unless their owner is still there."""
    bodies = world.bodies[rollout.service].values()
    wrong = [one.id for one in bodies if one.resize]
    refused = rollout.phase == "stuck" and world.limits[rollout.service] == TOO_LITTLE
    if wrong and not refused:
        raise Violation("limits are taken in the end", f"{wrong}")
    ports = () if any(one.published for one in bodies) else rollout.policy.ports
    if rollout.asked is not None and world.tables[rollout.service].settled.ports != ports:
        raise Violation("the port has one owner", f"the router of {rollout.service} has not {ports}")


def the_last_good_state_is_there(plane: Plane) -> None:
    """Every service is at the revision that the last completed change gave it."""
    applied = plane.applied
    for name, rollout in plane.rollouts.items():
        revision = applied.revisions[name].id if applied is not None and name in applied.revisions else None
        if rollout.goal.revision != revision:
            raise Violation("the last good state is there", f"{name} is at {rollout.goal.revision}, not {revision}")


def the_outcome_is_right(plane: Plane, world: World) -> None:
    """A good change is completed and loses nothing; one that brings a bad revision goes back."""
    change = plane.change
    if change is None:
        return
    if all(quality == "good" for quality in world.quality.values()):
        if change.phase != "completed":
            raise Violation("a good change is completed", f"change {change.id} is {change.phase}: {change.reason}")
        if world.lost != world.cut:
            raise Violation("nothing is lost without a fault", f"{world.lost} lost, {world.cut} at the drain deadline")
    before = change.before.revisions if change.before is not None else {}
    for name, revision in change.after.revisions.items():
        service = change.after.project.services[name]
        strict = service.update.failure_action == "rollback" and service.update.max_failure_ratio == 0
        is_new = name not in before or before[name].id != revision.id
        hopeless = _is_useless(world, service, world.quality[revision.id]) and service.replicas > 0
        is_new = is_new and name not in change.returns
        if strict and is_new and hopeless and change.phase == "completed":
            raise Violation("a bad change goes back", f"change {change.id} brought {revision.id}")


def _is_useless(world: World, service: Service, quality: Quality) -> bool:
    """Whether a revision can be let in by no rollout of the service that is not disturbed."""
    if quality in ("exits", "never"):
        return True
    if not service.ports or not world.reaches:
        return False
    # The other strategies send it no request, and so are not refused, before it has passed.
    is_routed_early = service.strategy.kind in ("rolling", "recreate") and service.update.monitor_s > 1.0
    return quality == "mute" or (quality == "refuses" and is_routed_early)
