"""Who waits for whom: the order in which services are changed, from `depends_on`."""

from collections.abc import Mapping

from midair.model.project import Service


def in_order(services: Mapping[str, Service]) -> list[str]:
    """Service names, each after the ones it depends on; otherwise in the order of the file.

    Raises ValueError naming the circle when there is one; the reader refuses such a file first.
    """
    ordered: dict[str, None] = {}
    for name in services:
        _visit(name, services, ordered, ())
    return list(ordered)


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


def _visit(name: str, services: Mapping[str, Service], ordered: dict[str, None], trail: tuple[str, ...]) -> None:
    if name in ordered:
        return
    if name in trail:
        circle = " → ".join((*trail[trail.index(name) :], name))
        raise ValueError(f"services depend on each other in a circle: {circle}")
    for other in waits_for(services[name], services):
        _visit(other, services, ordered, (*trail, name))
    ordered[name] = None
