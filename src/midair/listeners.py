"""The TCP sockets that are listened on in a network namespace, as the kernel lists them in /proc for everybody."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_LISTENS = "0A"  # TCP_LISTEN, include/net/tcp_states.h


class Listener(NamedTuple):
    """One of them."""

    address: str  # as the kernel prints it: 0100007F is 127.0.0.1
    port: int
    uid: int
    inode: str


def listeners(net: Path) -> Iterator[Listener]:
    """Those of the namespace whose tables lie in the folder `net`: /proc/net, or /proc/PID/net of another one."""
    for kind in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (net / kind).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS:
                    address, _, port = fields[1].partition(":")
                    yield Listener(address, int(port, 16), int(fields[7]), fields[9])
