"""Netlink messages and attributes as bytes, and one exchange of them with the kernel. Standard library alone.

Layouts: linux/netlink.h. Numbers in attributes of nftables and conntrack are in network order.
"""

import os
import socket
import struct
from collections.abc import Iterator, Sequence

REQUEST, ACK, CREATE, APPEND, DUMP = 0x1, 0x4, 0x400, 0x800, 0x300
NESTED = 0x8000
_NETFILTER = 12
_ERROR, _DONE = 2, 3
_HEAD = 20  # bytes of a netlink header and netfilter's own
_BUFFER_BYTES = 4 << 20
_ANSWER_S = 5.0


def attribute(kind: int, data: bytes = b"") -> bytes:
    """One attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def nest(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NESTED, b"".join(parts))


def number(value: int) -> bytes:
    """Four bytes in network order."""
    return struct.pack(">I", value)


def text(value: str) -> bytes:
    """With the zero that ends it."""
    return value.encode() + b"\0"


def message(kind: int, flags: int, family: int, body: bytes = b"", resource: int = 0) -> bytes:
    """One message of a netfilter subsystem."""
    head = struct.pack("=IHHIIBBH", _HEAD + len(body), kind, flags, 1, 0, family, 0, socket.htons(resource))
    return head + body


def attributes(data: bytes) -> dict[int, bytes]:
    """Attributes by kind; of a kind that comes twice the last one."""
    found = {}
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:size]
        data = data[max(4, (size + 3) & ~3) :]
    return found


def exchange(messages: Sequence[bytes], *, dump: bool = False) -> list[bytes]:
    """Send messages in one piece and wait for what they ask for: acknowledgements, or with `dump` a whole list.

    Returns the bodies of the answers. Raises OSError with what the kernel says.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        sock.settimeout(_ANSWER_S)
        sock.bind((0, 0))
        sock.send(b"".join(messages))
        awaited = sum(1 for each in messages if struct.unpack_from("=H", each, 6)[0] & ACK)
        bodies: list[bytes] = []
        while dump or awaited:
            for kind, body in _messages(sock.recv(1 << 20)):
                if kind == _DONE:
                    return bodies
                if kind == _ERROR:
                    code = struct.unpack_from("=i", body)[0]
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    awaited -= 1
                else:
                    bodies.append(body[4:])
        return bodies


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and what comes after the netlink header."""
    while len(data) >= 16:
        size, kind = struct.unpack_from("=IH", data)
        yield kind, data[16:size]
        data = data[(size + 3) & ~3 :]
