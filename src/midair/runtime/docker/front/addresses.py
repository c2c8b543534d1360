"""Fixed addresses of fronts: which part of a network they come from, which is free, and who finds them how. Pure.

The engine gives a container that starts any address that is free just then, also one that another container has left.
So the networks that midair makes have a range for the engine, their lower half, and the upper half is for fronts.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from hashlib import sha256
from ipaddress import IPv4Network, ip_address, ip_interface, ip_network
from typing import Any

from midair.model.fronts import names_on, networks_of
from midair.model.project import Project, Service
from midair.runtime.docker.translate import Placement, network_name

_ITSELF = "127.0.0.1"
_SMALLEST = 26  # prefix length below which a half of the network is worth something


def lower_half(subnet: str) -> str | None:
    """The range that the engine may give addresses from; None where there is no room for two halves."""
    network = ip_network(subnet)
    if network.version != 4 or network.prefixlen > _SMALLEST:
        return None
    return str(next(iter(network.subnets(prefixlen_diff=1))))


def choose(network: Mapping[str, Any], service: str, before: str, taken: Collection[str]) -> str | None:
    """An address with its network's prefix length, such as "172.20.128.7/16", outside of the engine's range.

    The one that the service had `before` if it is still of this network, else by the service's name: it differs from
    those that were in use lately. None when the network has no such part, or all of it is taken.
    """
    for pool in ((network.get("IPAM") or {}).get("Config")) or []:
        if not pool.get("IPRange") or ":" in str(pool.get("Subnet")):
            continue
        subnet, engines = IPv4Network(pool["Subnet"]), IPv4Network(pool["IPRange"])
        if before and (had := ip_interface(before)).network == subnet and had.ip not in engines:
            return before
        first = int.from_bytes(sha256(service.encode()).digest()[:4]) % subnet.num_addresses
        for step in range(min(subnet.num_addresses, 1 << 16)):
            address = subnet[(first + step) % subnet.num_addresses]
            edges = (subnet.network_address, subnet.broadcast_address, ip_address(pool.get("Gateway") or "0.0.0.0"))
            if address not in engines and address not in edges and str(address) not in taken:
                return f"{address}/{subnet.prefixlen}"
    return None


def subnet_of(project: Project, network: str) -> str | None:
    """The subnet that fronts have fixed addresses in: a network that was removed is made again with it."""
    found = (one.front.addresses.get(network) for one in project.services.values() if one.front is not None)
    return next((str(ip_interface(address).network) for address in found if address), None)


def hosts_for(caller: Service, placement: Placement, *, is_replica: bool = True) -> dict[str, str]:
    """Names and fixed addresses for the hosts file of a caller, which are found also while the engine is away.

    Only on networks that it shares, and no name that two services have: the engine's DNS answers with both. A
    replica's own names lead to itself: by way of its front a check would ask the replica before it, or wait for ever.
    """
    if caller.fields.get("network_mode"):
        return {}
    mine = {network_name(key, settings, placement) for key, settings in networks_of(caller)}
    found: dict[str, str] = {}
    owners: Counter[str] = Counter()
    for service in placement.project.services.values():
        names: dict[str, str] = {}
        for key, settings in networks_of(service):
            network = network_name(key, settings, placement)
            address = service.front.addresses.get(network) if service.front is not None else None
            if network in mine:
                names |= {name: address or "" for name in names_on(service, settings) if not names.get(name)}
        owners.update(names.keys())
        found |= names
    for link in caller.fields.get("links") or []:
        target, _, alias = str(link).partition(":")
        if alias and owners[target] == 1:
            found[alias], owners[alias] = found[target], 1
    hosts = {name: str(ip_interface(found[name]).ip) for name in found if owners[name] == 1 and found[name]}
    for name in own_names(caller) if is_replica else ():
        if owners[name] == 1:
            hosts[name] = _ITSELF
    # The engine writes the line of the host's own name, with the address that a server may bind to.
    hosts.pop(str(caller.fields.get("hostname") or ""), None)
    return hosts


def own_names(service: Service) -> list[str]:
    """Every name that a service has on any of its networks."""
    found = [name for _, settings in networks_of(service) for name in names_on(service, settings)]
    return list(dict.fromkeys(found))
