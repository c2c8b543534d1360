"""A project that something else started on the same engine: its replicas become the state to start from. Pure."""

from collections.abc import Iterable

from msgspec.structs import replace

from midair import change as changes
from midair.model.ids import FOREIGN, ChangeId, revision_of, service_of
from midair.model.project import Applied, Project, Revision
from midair.model.rollout import Goal, Rollout
from midair.model.seen import ReplicaSeen


def foreign(project: Project, replicas: Iterable[ReplicaSeen]) -> dict[str, tuple[ReplicaSeen, ...]]:
    """Replicas of the project's services that something else started and that run, by service."""
    found: dict[str, tuple[ReplicaSeen, ...]] = {}
    for replica in replicas:
        name = service_of(replica.id)
        if revision_of(replica.id) == FOREIGN and replica.state != "exited" and name in project.services:
            found[name] = (*found.get(name, ()), replica)
    return found


def adopted(after: Applied, replicas: Iterable[ReplicaSeen]) -> tuple[Applied, tuple[Rollout, ...]] | None:
    """The state that a first change starts from when there are such replicas: what runs is the last known good."""
    found = foreign(after.project, replicas)
    if not found:
        return None
    services = {name: replace(after.project.services[name], replicas=len(ones)) for name, ones in found.items()}
    before = Applied(
        project=replace(after.project, services=services),
        revisions={name: Revision(FOREIGN, service, release=FOREIGN) for name, service in services.items()},
    )
    return before, tuple(_rollout(before, name, ones) for name, ones in found.items())


def _rollout(before: Applied, name: str, replicas: tuple[ReplicaSeen, ...]) -> Rollout:
    goal, policy = Goal(FOREIGN, len(replicas)), changes.policy_of(before.project.services[name])
    return Rollout(
        service=name,
        change=ChangeId(0),
        phase="completed",
        goal=goal,
        stable=goal,
        policy=policy,
        stable_policy=policy,
        replicas=replicas,
        reason="it ran before midair came",
    )
