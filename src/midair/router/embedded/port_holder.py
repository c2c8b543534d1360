"""Says who listens on a port that is taken: a user, a process, another user's midair."""

import os
from contextlib import suppress
from pathlib import Path

from midair.listeners import listeners
from midair.others import PROC, Serving, routers, user_name


def holder_of(port: int, proc: Path = PROC) -> str:
    """Who listens on a TCP port, for people, and how to use it if it is midair. Empty when unknown."""
    for socket in (each for each in listeners(proc / "net") if each.port == port):
        owned = _process_with(socket.inode, proc)
        theirs = [router for router in routers(proc) if router.uid == socket.uid]
        found = [router for router in theirs if owned is None or owned[0] == router.pid]
        if found:
            return _midair(found)
        if owned is not None:
            return f"{owned[1]} (pid {owned[0]}) of user {user_name(socket.uid)}"
        return f"user {user_name(socket.uid)}"
    return ""


def _midair(found: list[Serving]) -> str:
    """One router, or those of a user of which one has the port: which, only root and that user can see."""
    first = found[0]
    if len(found) == 1:
        about = f"midair of user {first.user} (project {first.project}, pid {first.pid})"
        return f"{about}: to use it run {first.command('up')}"
    names = ", ".join(sorted({router.project for router in found}))
    homes = {router.folder.parents[1] for router in found}
    use = first.command("up") if len(homes) == 1 else f"sudo -u {first.user} midair up with its MIDAIR_HOME"
    return f"midair of user {first.user} (one of projects {names}): to use it run {use}"


def _process_with(inode: str, proc: Path) -> tuple[int, str] | None:
    """The process that has this socket open, where this user may look."""
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError):
            for descriptor in (folder / "fd").iterdir():
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return int(folder.name), (folder / "comm").read_text(errors="replace").strip()
    return None
