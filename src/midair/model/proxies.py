"""The proxies that stand in front of midair, as `x-midair.trusted_proxies` lists them: networks of addresses."""

import ipaddress
from collections.abc import Iterable

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def parse_network(text: str) -> Network:
    """A network or a single address; IPv4 written as IPv6 is IPv4. Raises ValueError."""
    network = ipaddress.ip_network(text, strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}", strict=False)
    return network


def parse_address(text: str) -> Address | None:
    """An address, without a port or a zone; IPv4 written as IPv6 is IPv4. None: it is none."""
    host = text.strip(' \t"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def trusts_everybody(networks: Iterable[Network]) -> bool:
    """Whether these are together every address of IPv4 or of IPv6, so that any client could pass for a proxy."""
    v4: list[ipaddress.IPv4Network] = []
    v6: list[ipaddress.IPv6Network] = []
    for network in networks:
        if isinstance(network, ipaddress.IPv4Network):
            v4.append(network)
        else:
            v6.append(network)
    return any(net.prefixlen == 0 for net in ipaddress.collapse_addresses(v4)) or any(
        net.prefixlen == 0 for net in ipaddress.collapse_addresses(v6)
    )
