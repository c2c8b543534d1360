"""Where the processes of a replica listen, which is not always where they were asked to."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from midair.listeners import listeners
from midair.runtime.process.identity import PROC


def listening(pids: Iterable[int]) -> tuple[int, ...]:
    """The TCP ports at which these processes listen, as far as this user may look."""
    sockets: set[str] = set()
    ports: dict[str, int] = {}
    for pid in pids:
        own = set(_sockets(PROC / str(pid) / "fd"))
        if own and not ports:
            ports = {each.inode: each.port for each in listeners(PROC / str(pid) / "net")}
        sockets |= own
    return tuple(sorted({ports[inode] for inode in sockets & ports.keys()}))


def _sockets(folder: Path) -> Iterable[str]:
    """Inodes of the open sockets of a process."""
    with suppress(OSError):
        for name in os.listdir(folder):
            with suppress(OSError):
                target = os.readlink(folder / name)
                if target.startswith("socket:["):
                    yield target[len("socket:[") : -1]
