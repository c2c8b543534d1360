"""Open flows through a front, out of the kernel's connection tracking in the front's own namespace.

Numbers: linux/netfilter/nfnetlink_conntrack.h.
"""

import ipaddress
import socket
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import NamedTuple

from midair.runtime.docker.front.netlink import ACK, DUMP, NESTED, REQUEST, attribute, attributes, exchange, message

_SUBSYSTEM = 1 << 8
_GET, _DELETE = 1, 2
_TCP, _UDP = 6, 17
_OPEN = range(1, 6)  # states of a TCP flow from its first packet until both sides have ended


class Flow(NamedTuple):
    """One tracked flow: who it was meant for, who answers, and the kernel's own words for deleting it."""

    protocol: int
    target: str
    answers: str
    state: int
    original: bytes
    family: int


def flows() -> Iterator[Flow]:
    """Every flow in this namespace that was redirected."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for body in exchange([message(_SUBSYSTEM | _GET, REQUEST | DUMP, family)], dump=True):
            flow = _read(body, family)
            if flow.target != flow.answers:
                yield flow


def open_flows(addresses: Collection[str]) -> dict[str, int]:
    """Open TCP flows to each of these replicas."""
    counted = Counter(flow.answers for flow in flows() if flow.protocol == _TCP and flow.state in _OPEN)
    return {address: counted[str(ipaddress.ip_address(address))] for address in addresses}


def release_udp(keep: Collection[str]) -> None:
    """Forget UDP flows to any other replica than these: they never end by themselves while somebody sends."""
    stay = {str(ipaddress.ip_address(address)) for address in keep}
    for flow in list(flows()):
        if flow.protocol == _UDP and flow.answers not in stay:
            with suppress(OSError):  # it has expired meanwhile
                exchange([message(_SUBSYSTEM | _DELETE, REQUEST | ACK, flow.family,
                                  attribute(1 | NESTED, flow.original))])  # fmt: skip


def _read(body: bytes, family: int) -> Flow:
    found = attributes(body)
    original, reply = attributes(found[1]), attributes(found[2])
    addresses, back = attributes(original[1]), attributes(reply[1])
    number = attributes(reply[2])[1][0]
    state = attributes(attributes(found[4])[1])[1][0] if number == _TCP and 4 in found else 0
    place = {socket.AF_INET: (2, 1), socket.AF_INET6: (4, 3)}[socket.AddressFamily(family)]
    target, answers = (str(ipaddress.ip_address(value)) for value in (addresses[place[0]], back[place[1]]))
    return Flow(number, target, answers, state, found[1], family)
