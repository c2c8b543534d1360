"""Reports to systemd where it started this daemon: sd_notify(3), a datagram to the socket in NOTIFY_SOCKET."""

import os
import socket
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "NOTIFY_SOCKET"
_HANDED_OVER_S = 5.0  # for a successor to say that it is the unit's main process now
_LOOK_S = 0.01


def is_supervised() -> bool:
    """Whether systemd started this daemon, or one that it succeeds."""
    return VARIABLE in os.environ


def notify(*lines: str) -> None:
    """Send assignments such as READY=1. Nobody listens: nothing happens."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        door.sendto("\n".join(lines).encode(), address)


def await_signature(lock: Path) -> None:
    """Return when another process has signed the lock, or after a while.

    systemd takes the end of the main process for the end of the unit unless the successor was named before.
    """
    deadline = time.monotonic() + _HANDED_OVER_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            if lock.read_text().strip() not in ("", str(os.getpid())):
                return
        time.sleep(_LOOK_S)
