"""Who a request is from when proxies stand in front, and what its replica is told. Pure: bytes in, values out.

`hops` are the addresses that the request came through: the peer, whom the router saw, first. As long as the last hop is
a trusted proxy, the address that it wrote down comes next. The first hop that is not trusted is the client, and what it
wrote itself goes no further. What is left is the same in every header, so that it does not matter which one is read.
"""

import re

import msgspec

from midair.model.proxies import parse_address, parse_network
from midair.router.embedded.head import HOST, Block, is_claim
from midair.router.embedded.remembered import Remembered

_PAIR = re.compile(rb'(?i)(?:^|;)[ \t]*(for|host|proto)=("[^"]*"|[^;" \t]*)')
_PROTO = re.compile(rb"[a-z][a-z0-9+.-]*")
_OWN = frozenset((b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip"))


class Sender(msgspec.Struct, frozen=True, gc=False):
    """Where a request comes from."""

    client: bytes  # address
    forward: bytes  # the block for the replica, up to the last value of X-Forwarded-For


class Trust:
    """The trusted proxies of one service."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        """Raises ValueError."""
        self.texts = networks
        self._networks = tuple(map(parse_network, networks))
        self._known = Remembered(self._look_up, bytes_max=64)

    def trusts(self, address: bytes) -> bool:
        """Whether this is a trusted proxy's address."""
        return self._known[address]

    def sender(self, block: Block, peer: bytes) -> Sender:
        """Who sent this to the peer, and what to forward."""
        claims = block.claims if self.trusts(peer) else ()
        said = _values(claims)
        hops = [peer]
        for value in reversed(said[b"for"]):
            address = parse_address(value.decode("latin-1"))
            if address is None or not self.trusts(hops[-1]):
                break
            hops.append(str(address).encode())
        proxies = sum(map(self.trusts, hops))
        proto = _by_first(said[b"proto"], proxies).lower()
        host = _by_first(said[b"host"], proxies)
        if not _PROTO.fullmatch(proto):
            proto = b"http"
        if not host or not HOST.fullmatch(host):
            host = block.host
        lines = [line for line in block.forward.split(b"\r\n") if not is_claim(line.partition(b":")[0])]
        lines += [name + b": " + value for name, value in claims if name not in _OWN]
        if any(name == b"forwarded" for name, _ in block.claims):
            lines.append(b"Forwarded: " + _forwarded(hops, host, proto))
        if host:
            lines.append(b"X-Forwarded-Host: " + host)
        lines += [b"X-Forwarded-Proto: " + proto, b"X-Real-IP: " + hops[-1]]
        return Sender(hops[-1], b"\r\n".join([*lines, b"X-Forwarded-For: " + b", ".join(reversed(hops))]))

    def _look_up(self, address: bytes) -> bool:
        parsed = parse_address(address.decode("latin-1"))
        return parsed is not None and any(parsed in network for network in self._networks)


def _values(claims: tuple[tuple[bytes, bytes], ...]) -> dict[bytes, list[bytes]]:
    """What was said of `for`, `host` and `proto`, the latest proxy's last; by `Forwarded` only without the others."""
    said: dict[bytes, list[bytes]] = {b"for": [], b"host": [], b"proto": []}
    for name, value in claims:
        if name in _OWN and name.startswith(b"x-forwarded-"):
            said[name[len(b"x-forwarded-") :]] += [part.strip(b" \t") for part in value.split(b",")]
    if not any(said.values()):
        for element in (part for name, value in claims if name == b"forwarded" for part in value.split(b",")):
            pairs = {key.lower(): value.strip(b'"') for key, value in _PAIR.findall(element)}
            for key in said:
                said[key].append(pairs.get(key, b""))
    return said


def _by_first(values: list[bytes], proxies: int) -> bytes:
    """What the first of so many trusted proxies wrote; each may have replaced the values or added one."""
    return values[max(0, len(values) - proxies)] if values and proxies else b""


def _forwarded(hops: list[bytes], host: bytes, proto: bytes) -> bytes:
    """RFC 7239. The peer is the last one that it names."""
    nodes = [b'for="[' + hop + b']"' if b":" in hop else b"for=" + hop for hop in reversed(hops)]
    nodes[0] += (b';host="' + host + b'"' if host else b"") + b";proto=" + proto
    return b", ".join(nodes)
