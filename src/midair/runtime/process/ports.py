"""Finds a port for a replica, away from those that the kernel gives to outgoing connections."""

import random
import socket
from collections.abc import Collection
from pathlib import Path

from midair.errors import RuntimeTrouble

_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _HIGHEST = 20000, 65535
_ENOUGH = 2000  # ports that make a range worth using


def free_port(taken: Collection[int]) -> int:
    """A port that nobody listens on and that is not in `taken`. A replica that finds it taken tries another one."""
    for ports in port_ranges(_ephemeral()):
        first = random.randrange(len(ports))  # so that two daemons rarely meet
        for port in (*ports[first:], *ports[:first]):
            if port not in taken and _is_free(port):
                return int(port)
    raise RuntimeTrouble("cannot find a port for a replica: every one is taken")


def port_ranges(ephemeral: tuple[int, int]) -> list[range]:
    """Where to look, best first: above the kernel's own range, below it, in it.

    Above comes first because few programs have their usual port there.
    """
    low, high = ephemeral
    outside = [range(high + 1, _HIGHEST + 1), range(_LOWEST, low)]
    wide = [ports for ports in outside if len(ports) >= _ENOUGH]
    return [*wide, *(ports for ports in outside if ports not in wide and len(ports)), range(low, high + 1)]


def _ephemeral() -> tuple[int, int]:
    try:
        low, high = _EPHEMERAL.read_text().split()
    except (OSError, ValueError):
        return 49152, _HIGHEST  # what IANA sets aside
    return int(low), int(high)


def _is_free(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("", port))
        except OSError:
            return False
    return True
