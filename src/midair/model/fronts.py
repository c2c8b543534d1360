"""Which services have a front where their runtime makes fronts, and the names that each leads to. Pure."""

from collections.abc import Mapping
from typing import Any

from midair.model.project import Project, Service

MEMORY_MB = 10  # of one front, about


def fronted(project: Project) -> tuple[Service, ...]:
    """The services that get a front: those that others can call by a name."""
    finished = {
        name
        for service in project.services.values()
        for name, needed in service.depends_on.items()
        if needed.condition == "service_completed_successfully"
    }
    return tuple(
        service
        for name, service in project.services.items()
        if service.can.fronts and name not in finished and networks_of(service) and not opts_out(service)
    )


def opts_out(service: Service) -> bool:
    """Whether the file asks for names that lead to the replicas themselves."""
    return service.extension.get("front") == "none"


def networks_of(service: Service) -> list[tuple[str, dict[str, Any] | None]]:
    """The networks of a service, by their keys in the file, with its settings there."""
    if service.fields.get("network_mode"):
        return []
    return list((service.fields.get("networks") or {"default": None}).items())


def names_on(service: Service, settings: Mapping[str, Any] | None) -> list[str]:
    """Every name that a service has on one of its networks."""
    own = service.fields.get("container_name")
    found = [service.name, *((settings or {}).get("aliases") or []), *([own] if own else [])]
    return list(dict.fromkeys(found))
