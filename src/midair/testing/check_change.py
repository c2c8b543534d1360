"""The invariants of a change over several services."""

from midair.change.depend import holds
from midair.model.change import Change, ChangeStep
from midair.model.ids import revision_of
from midair.model.rollout import Rollout
from midair.testing.violation import Violation
from midair.testing.world import World


def dependencies_come_first(change: Change, step: ChangeStep, rollouts: dict[str, Rollout]) -> None:
    """A service begins only when what it depends on is there."""
    services = change.after.project.services
    new = {*step.change.begun[len(change.begun) :], *(one.service for one in step.rollouts)}
    for name in sorted(new):
        if name not in services or rollouts[name].policy.waits or rollouts[name].phase != "pending":
            continue  # one that waits has only ended so far
        for other, dependency in services[name].depends_on.items():
            if other in services and services[other].replicas and not holds(dependency, rollouts[other]):
                raise Violation("dependencies come first", f"{name} begins before {other}")


def all_or_nothing(step: ChangeStep, rollouts: dict[str, Rollout]) -> None:
    """A change ends with every service where it was to go, or with every one where it came from."""
    change = step.change
    state = change.after if change.phase == "completed" else change.before
    for name in change.begun:
        revision = state.revisions[name].id if state is not None and name in state.revisions else None
        if rollouts[name].goal.revision != revision:
            raise Violation("all or nothing", f"{name} is at {rollouts[name].goal.revision}, not {revision}")
        if rollouts[name].phase != change.phase:
            raise Violation("all or nothing", f"{name} is {rollouts[name].phase}, the change {change.phase}")
    if change.phase == "completed":
        for name, revision_ in change.after.revisions.items():
            if rollouts[name].goal.revision != revision_.id:
                raise Violation("all or nothing", f"{name} was forgotten")


def restarts_replace_all(step: ChangeStep, rollouts: dict[str, Rollout], world: World) -> None:
    """A completed restart leaves no replica that was ready before it was asked for."""
    change = step.change
    for name in change.restarts if change.phase == "completed" else ():
        for body in world.bodies[name].values():
            before = body.ready_at is not None and max(body.made_at, body.ready_at) < change.created_at
            if before and body.state != "exited" and revision_of(body.id) == rollouts[name].goal.revision:
                raise Violation("a restart replaces every replica", f"{body.id} is of {body.made_at}")
