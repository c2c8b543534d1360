"""Sees to it that one folder has one daemon."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from midair.client.home import LOCK
from midair.errors import DaemonTrouble

TRIES = 10


def take_lock(home: Path, *, wait: bool = False) -> int:
    """Lock the folder for as long as the returned descriptor is open, in this process or in one that inherited it.

    `wait`: for as long as another daemon has it. Raises DaemonTrouble otherwise.
    """
    descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if wait:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    elif not _lock(descriptor):
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        os.close(descriptor)
        raise DaemonTrouble(
            f'cannot start the daemon: another one runs for "{home}"' + (f", pid {holder}" if holder else ""),
            hint="stop it with midair daemon stop, or choose another MIDAIR_HOME",
        )
    sign(descriptor)
    return descriptor


def sign(descriptor: int) -> None:
    """Write down who holds the lock, for people. A full disk is no reason not to begin."""
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _lock(descriptor: int) -> bool:
    for _ in range(TRIES):  # a client that looks whether there is a daemon holds it for an instant
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False
