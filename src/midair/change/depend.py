"""Whether what a service depends on is there, by what the rollouts know."""

from midair.model.ids import revision_of
from midair.model.project import Dependency, Service
from midair.model.rollout import Rollout
from midair.rollout.fleet import is_done


def unmet(service: Service, services: dict[str, Service], rollouts: dict[str, Rollout], due: set[str]) -> str | None:
    """The first dependency that is not there yet, for people; None: all are. `due`: services not begun yet."""
    for name, dependency in service.depends_on.items():
        if name not in services or services[name].replicas == 0:
            continue
        rollout = rollouts.get(name)
        if name in due or rollout is None or not holds(dependency, rollout):
            return f'"{name}" to be {_WORDS[dependency.condition]}'
    return None


_WORDS = {
    "service_started": "started",
    "service_healthy": "healthy",
    "service_completed_successfully": "completed successfully",
}


def holds(dependency: Dependency, rollout: Rollout) -> bool:
    """Whether the condition holds for the revision that the dependency's rollout goes to."""
    ours = [one for one in rollout.replicas if revision_of(one.id) == rollout.goal.revision]
    done = [one for one in ours if is_done(one, rollout.policy)]
    if dependency.condition == "service_started":
        return any(one.state != "exited" for one in ours) or bool(done)
    if _starts_first_time(rollout) and dependency.condition == "service_healthy":
        return sum(one.state == "ready" for one in ours) >= rollout.goal.replicas
    if rollout.phase not in ("promoting", "completed", "rolled_back"):
        return False
    if dependency.condition == "service_completed_successfully":
        return len(done) >= rollout.goal.replicas
    return any(one.state == "ready" for one in ours) or bool(done)


def _starts_first_time(rollout: Rollout) -> bool:
    """Ready and not yet proved is enough then: nobody uses it, and what fails later takes all that were begun along."""
    return rollout.phase == "baking" and rollout.stable.revision is None
