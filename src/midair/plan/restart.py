"""Which services a restart is about. Pure."""

from collections.abc import Iterable, Mapping, Set

from midair.model.project import Service


def restarted(services: Mapping[str, Service], named: Iterable[str], completed: Set[str]) -> frozenset[str]:
    """Those that were named and those that `depends_on` restarts with them; without names all but completed jobs.

    What has no replica has nothing to restart.
    """
    chosen = set(named) or set(services) - completed
    while more := {name for name in services if name not in chosen and _follows(services[name], chosen)} - completed:
        chosen |= more
    return frozenset(name for name in chosen if services[name].replicas)


def _follows(service: Service, chosen: Set[str]) -> bool:
    return any(dependency.restart and other in chosen for other, dependency in service.depends_on.items())
