"""Names that one caller alone has for others, as the engine's endpoint `Links`. Pure.

The engine looks such a name up as the name that it stands for, at each query, and before any container of that name:
what it leads to may come later, and a replica that has a `container_name` or hostname is not found beside its front.
"""

from collections import Counter

from midair.model.fronts import names_on, networks_of
from midair.model.project import Service
from midair.runtime.docker.front.body import front_name
from midair.runtime.docker.translate import Placement, network_name


def links_for(caller: Service, placement: Placement) -> dict[str, list[str]]:
    """The engine's network name → "name that is looked up:name that is asked for"."""
    services = placement.project.services
    outside = [
        str(link) if ":" in str(link) else f"{link}:{link}" for link in caller.fields.get("external_links") or []
    ]
    owners = Counter(name for service in services.values() for name in set(_names(service)))
    found: dict[str, list[str]] = {}
    for network in _networks(caller, placement):
        links = list(outside)
        for link in caller.fields.get("links") or []:
            target, _, alias = str(link).partition(":")
            if target in services and network in _networks(services[target], placement):
                links.append(f"{_address(services[target], placement)}:{alias or target}")
        for service in services.values():
            if service.front is None or service.name == caller.name or network not in _networks(service, placement):
                continue
            own = service.fields.get("container_name"), service.fields.get("hostname")
            links += [f"{_address(service, placement)}:{name}" for name in own if name and owners[name] <= 1]
        if links := list(dict.fromkeys(links)):
            found[network] = links
    return found


def _names(service: Service) -> list[str]:
    known = [name for _, settings in networks_of(service) for name in names_on(service, settings)]
    return [*known, str(service.fields.get("hostname") or service.name)]


def _networks(service: Service, placement: Placement) -> list[str]:
    return [network_name(key, settings, placement) for key, settings in networks_of(service)]


def _address(service: Service, placement: Placement) -> str:
    """The container whose address never changes, or the name under which the engine has all replicas."""
    return front_name(placement.project.name, service.name) if service.front is not None else service.name
