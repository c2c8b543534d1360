"""Who waits for whom: the order in which services are changed, from `depends_on`."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from midair.errors import PlanRefused
from midair.model.project import Service


def in_order(services: Mapping[str, Service]) -> list[str]:
    """Service names, each after the ones it depends on, as early as it can be, and in the order of the file.

    Raises PlanRefused naming the circle when there is one; the reader refuses such a file first.
    """
    sorter = TopologicalSorter({name: waits_for(service, services) for name, service in services.items()})
    try:
        return list(sorter.static_order())
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        raise PlanRefused(f"cannot order the services: they depend on each other in a circle: {circle}") from error


def waits_for(service: Service, services: Mapping[str, Service]) -> tuple[str, ...]:
    """The services of the project that must be there before this one."""
    return tuple(name for name in service.depends_on if name in services)


def with_dependencies(names: tuple[str, ...], services: Mapping[str, Service]) -> frozenset[str]:
    """These services and everything they depend on, near and far."""
    found: set[str] = set()
    ahead = [name for name in names if name in services]
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead.extend(waits_for(services[name], services))
    return frozenset(found)
