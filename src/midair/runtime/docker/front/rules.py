"""The nftables rules of a front, as netlink messages: where each port that no socket listens on leads to. Pure.

One transaction replaces the whole table, so at no moment is a rule missing. Flows that exist keep their replica.
Numbers: linux/netfilter/nf_tables.h.
"""

import ipaddress
import struct
from collections.abc import Iterable, Sequence

from midair.runtime.docker.front.netlink import ACK, APPEND, CREATE, REQUEST, attribute, message, nest, number, text

TABLE = "midair"
IPV4, IPV6 = 2, 10
_SUBSYSTEM = 10 << 8
_BEGIN, _END = 0x10, 0x11
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_PREROUTING, _FORWARD, _POSTROUTING = 0, 2, 4
_REDIRECTED = 32  # IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h
Share = tuple[str, int]  # address of a replica, weight


def transaction(
    shares: Sequence[Share], listening: Iterable[int], *, wait: bool, families: Sequence[int] = (IPV4, IPV6)
) -> list[bytes]:
    """Every TCP port but those in `listening`, every UDP port and ping go to the replicas, new flows by weight.

    Without a replica of a family new flows of it are dropped if they are to `wait` (callers ask again), else refused
    by the front itself.
    """
    ports = tuple(listening)
    parts = [part for family in families for part in _table(family, _of_family(shares, family), ports, wait)]
    return [message(_BEGIN, REQUEST, 0, resource=10), *parts, message(_END, REQUEST, 0, resource=10)]


def _of_family(shares: Sequence[Share], family: int) -> list[tuple[bytes, int]]:
    found = [(ipaddress.ip_address(address), weight) for address, weight in shares if weight > 0]
    return [(address.packed, weight) for address, weight in found if (address.version == 4) == (family == IPV4)]


def _table(family: int, shares: list[tuple[bytes, int]], ports: tuple[int, ...], wait: bool) -> list[bytes]:
    rules = [_rule(family, "in", _PROTOCOL, _equals(b"\6"), _PORT, _equals(struct.pack(">H", port)), _ACCEPT)
             for port in ports]  # fmt: skip
    left = sum(weight for _, weight in shares)
    for address, weight in shares:
        rules.append(_rule(family, "in", _TO_US, _chance(weight, left), _redirect(address, family)))
        left -= weight
    if not shares and wait:
        rules.append(_rule(family, "in", _TO_US, _DROP))
    rules.append(_rule(family, "out", _REDIRECTED_ONLY, _expression("masq")))
    # A front in two networks must be no way from one into the other.
    rules.append(_rule(family, "through", _NOT_REDIRECTED, _DROP))
    name = attribute(1, text(TABLE))
    return [
        _make(_NEW_TABLE, family, name),
        message(_SUBSYSTEM | _DELETE_TABLE, REQUEST | ACK, family, name),
        _make(_NEW_TABLE, family, name),
        _chain(family, "in", _PREROUTING, -100, "nat"),
        _chain(family, "out", _POSTROUTING, 100, "nat"),
        _chain(family, "through", _FORWARD, 0, "filter"),
        *rules,
    ]


def _make(kind: int, family: int, body: bytes, flags: int = CREATE) -> bytes:
    return message(_SUBSYSTEM | kind, REQUEST | ACK | flags, family, body)


def _chain(family: int, name: str, hook: int, priority: int, kind: str) -> bytes:
    place = nest(4, attribute(1, number(hook)), attribute(2, struct.pack(">i", priority)))
    return _make(_NEW_CHAIN, family, attribute(1, text(TABLE)) + attribute(3, text(name)) + place
                 + attribute(7, text(kind)))  # fmt: skip


def _rule(family: int, chain: str, *expressions: bytes) -> bytes:
    body = attribute(1, text(TABLE)) + attribute(2, text(chain)) + nest(4, *expressions)
    return _make(_NEW_RULE, family, body, CREATE | APPEND)


def _expression(name: str, *parts: bytes) -> bytes:
    return nest(1, attribute(1, text(name)), nest(2, *parts))


def _compare(how: int, value: bytes) -> bytes:
    """Register 1 against a value: 0 equal, 1 not equal, 2 less."""
    return _expression("cmp", attribute(1, number(1)), attribute(2, number(how)), nest(3, attribute(1, value)))


def _equals(value: bytes) -> bytes:
    return _compare(0, value)


def _verdict(code: int) -> bytes:
    return _expression("immediate", attribute(1, number(0)), nest(2, nest(2, attribute(1, number(code)))))


def _bits(mask: int) -> bytes:
    """The status bits of the flow's connection in register 1, masked."""
    masked = _expression(
        "bitwise", attribute(1, number(1)), attribute(2, number(1)), attribute(3, number(4)),
        nest(4, attribute(1, struct.pack("=I", mask))), nest(5, attribute(1, bytes(4))),
    )  # fmt: skip
    return _expression("ct", attribute(1, number(1)), attribute(2, number(2))) + masked


def _chance(weight: int, of: int) -> bytes:
    """Passes `weight` new flows in `of`, at random."""
    if weight >= of:
        return b""
    drawn = _expression("numgen", attribute(1, number(1)), attribute(2, number(of)), attribute(3, number(1)))
    # What is drawn is in the machine's own order, and values are compared byte by byte.
    ordered = _expression(
        "byteorder", attribute(1, number(1)), attribute(2, number(1)), attribute(3, number(1)),
        attribute(4, number(4)), attribute(5, number(4)),
    )  # fmt: skip
    return drawn + ordered + _compare(2, number(weight))


def _redirect(address: bytes, family: int) -> bytes:
    value = _expression("immediate", attribute(1, number(1)), nest(2, attribute(1, address)))
    return value + _expression("nat", attribute(1, number(1)), attribute(2, number(family)), attribute(3, number(1)))


_PROTOCOL = _expression("meta", attribute(1, number(1)), attribute(2, number(16)))
_PORT = _expression("payload", attribute(1, number(1)), attribute(2, number(2)), attribute(3, number(2)),
                    attribute(4, number(2)))  # fmt: skip
_TO_US = _expression("fib", attribute(1, number(1)), attribute(2, number(3)), attribute(3, number(2))) + _equals(
    struct.pack("=I", 2)
)
_ACCEPT, _DROP = _verdict(1), _verdict(0)
_NOT_REDIRECTED = _bits(_REDIRECTED) + _equals(bytes(4))
_REDIRECTED_ONLY = _bits(_REDIRECTED) + _compare(1, bytes(4))
