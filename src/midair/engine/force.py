"""What a project is to be at this moment. Pure."""

from collections.abc import Mapping

from msgspec.structs import replace

from midair.model.change import Change
from midair.model.project import Applied, Service
from midair.model.rollout import Rollout
from midair.plan import limits_of


def in_force(change: Change | None, completed: Applied | None, rollouts: Mapping[str, Rollout]) -> Applied | None:
    """Where the change under way goes, or back to if it failed; else what was completed last.

    Limits that change in place are those that a service's rollout goes by: they change when it is the service's turn,
    and not at all if the change goes back before that.
    """
    if change is None or change.ended_at is not None:
        return completed
    applied = change.after if change.phase in ("pending", "progressing") else change.before
    if applied is None:
        return None
    known = [one for one in (applied, change.after, change.before, completed) if one is not None]
    services = {
        name: _limited(service, rollouts[name].policy.limits, known) if name in rollouts else service
        for name, service in applied.project.services.items()
    }
    return replace(applied, project=replace(applied.project, services=services))


def _limited(service: Service, limits: str, known: list[Applied]) -> Service:
    """The service as one of the known states has it with these limits."""
    found = [one.project.services[service.name] for one in known if service.name in one.project.services]
    if all(one.fields == service.fields for one in found):
        return service
    return next((one for one in found if limits_of(one) == limits), service)
