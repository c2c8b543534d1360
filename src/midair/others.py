"""Every midair that serves something on this machine, also of other users, as far as /proc shows them."""

import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

PROC = Path("/proc")
_MOST = 2  # of a hint, which nobody reads when it is long
_ROUTER = ["-m", "midair.router.embedded"]


class Serving(msgspec.Struct, frozen=True):
    """A router that runs: whose it is, and for which project."""

    pid: int
    uid: int
    folder: Path  # HOME/projects/NAME

    @property
    def user(self) -> str:
        """The name of the owner, or the number."""
        return user_name(self.uid)

    @property
    def project(self) -> str:
        """The project's key."""
        return self.folder.name

    def command(self, words: str) -> str:
        """The command line by which whoever asks now reaches that midair."""
        home = self.folder.parents[1]
        sudo = f"sudo -u {self.user} " if self.uid != os.geteuid() else ""
        named = "" if sudo and home == _default_home(self.uid) else f"MIDAIR_HOME={home} "
        return f"{sudo}{named}midair {words}"


def routers(proc: Path = PROC) -> Iterator[Serving]:
    """Those that run now."""
    for folder in proc.glob("[0-9]*"):
        with suppress(OSError, ValueError):
            words = (folder / "cmdline").read_text(errors="replace").split("\0")
            if words[1:3] == _ROUTER:
                yield Serving(int(folder.name), folder.stat().st_uid, Path(words[3]))


def hint_of(project: str, *, alone: bool = True, proc: Path = PROC) -> str:
    """How to reach what other users serve, for those who mean this project. Empty when there is nothing.

    `alone`: nothing but this project; else whatever is served, when this is not.
    """
    others = sorted((router for router in routers(proc) if router.uid != os.geteuid()), key=lambda router: router.pid)
    same = [router for router in others if router.project == project]
    return "; or ".join(
        f"run {router.command('status')} -p {router.project} (midair of user {router.user} serves {router.project})"
        for router in (same if same or alone else others)[:_MOST]
    )


def user_name(uid: int) -> str:
    """The name of a user, or the number when no database knows it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _default_home(uid: int) -> Path | None:
    try:
        return Path(pwd.getpwuid(uid).pw_dir) / ".local" / "state" / "midair"
    except KeyError:
        return None
