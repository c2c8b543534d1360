"""Says who listens on a port that is taken: a user, a process, another user's midair."""

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
_LISTENS = "0A"  # TCP_LISTEN, include/net/tcp_states.h
_ROUTER = ("-m", "midair.router.embedded")


def holder_of(port: int, proc: Path = PROC) -> str:
    """Who listens on a TCP port, for people, and how to use it if it is midair. Empty when unknown."""
    for uid, inode in _listeners(port, proc):
        user = _user(uid)
        owned = _process_with(inode, proc)
        router = next((found for found in _routers(uid, proc) if owned is None or owned[0] == found[0]), None)
        if router is not None:
            pid, folder = router
            use = f"sudo -u {user} midair up" if uid != os.geteuid() else f"MIDAIR_HOME={folder.parents[1]} midair up"
            return f"midair of user {user} (project {folder.name}, pid {pid}): to use it run {use}"
        if owned is not None:
            return f"{owned[1]} (pid {owned[0]}) of user {user}"
        return f"user {user}"
    return ""


def _listeners(port: int, proc: Path) -> Iterator[tuple[int, str]]:
    """The users and inodes of the sockets that listen on a port, on any address. Everybody may read this."""
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield int(fields[7]), fields[9]


def _routers(uid: int, proc: Path) -> Iterator[tuple[int, Path]]:
    """Routers of this user's midair: pid and folder, which is HOME/projects/NAME.

    Which of several has the port, only root and that user can see.
    """
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
            if words[1:3] == list(_ROUTER) and folder.stat().st_uid == uid:
                yield int(folder.name), Path(words[3])


def _process_with(inode: str, proc: Path) -> tuple[int, str] | None:
    """The process that has this socket open, where this user may look."""
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return int(folder.name), (folder / "comm").read_text(errors="replace").strip()
    return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
