"""Where midair keeps its state, and how to reach its socket there."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET = "api.sock"
LOCK = "daemon.lock"


def default_home() -> Path:
    """`$MIDAIR_HOME`, else `midair` in the user's state folder (XDG)."""
    if home := os.environ.get("MIDAIR_HOME"):
        return Path(home).absolute()
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state).absolute() / "midair"


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """A name of `path` that fits into a socket address, which holds 107 bytes, however deep the folder is."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(path: Path, timeout: float | None) -> socket.socket:
    """A connection to the Unix socket at `path`."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        with short_path(path) as short:
            connection.connect(short)
    except BaseException:
        connection.close()
        raise
    return connection


def daemon_pid(home: Path) -> str:
    """Which process signed the lock last; "" when none did."""
    try:
        return (home / LOCK).read_text(errors="replace").strip()
    except OSError:
        return ""


def has_daemon(home: Path) -> bool:
    """Whether a process holds the folder, answering or not."""
    try:
        descriptor = os.open(home / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
