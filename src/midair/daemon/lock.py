"""Sees to it that one folder has one daemon."""

import fcntl
import os
from pathlib import Path

from midair.errors import DaemonTrouble

FILE = "daemon.lock"


def take_lock(home: Path) -> int:
    """Lock the folder for as long as the returned descriptor is open, in this process or in one that inherited it."""
    descriptor = os.open(home / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise DaemonTrouble(
            f'cannot start the daemon: another one runs for "{home}"' + (f", pid {holder}" if holder else ""),
            hint="stop it with midair daemon stop, or choose another MIDAIR_HOME",
        ) from None
    sign(descriptor)
    return descriptor


def sign(descriptor: int) -> None:
    """Write down who holds the lock, for people."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
