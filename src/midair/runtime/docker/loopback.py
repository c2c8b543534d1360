"""Ports at which a container listens for itself alone: the usual reason why nobody reaches an app that runs well.

From the kernel's tables (`/proc/PID/net/tcp`), which need no rights; where the engine's machine is another one there is
nothing to be read, and nothing is said.
"""

from contextlib import suppress
from pathlib import Path

_LISTENS = "0A"


def loopback_ports(pid: int) -> tuple[int, ...]:
    """Ports at which the network of a process is listened on at loopback addresses and at no others."""
    own: set[int] = set()
    others: set[int] = set()
    for kind in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                address, _, port = local.partition(":")
                if state == _LISTENS:
                    (own if is_loopback(address) else others).add(int(port, 16))
    return tuple(sorted(own - others))


def is_loopback(address: str) -> bool:
    """Whether an address as the kernel prints it is one of loopback: 0100007F is 127.0.0.1."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == "0" * 24 + "01000000" or (address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F"))
