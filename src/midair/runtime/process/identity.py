"""Which process is meant: a pid alone is used again by others, a pid with its start time is not."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from midair.errors import RuntimeTrouble

PROC = Path("/proc")
_BOOT = PROC / "sys/kernel/random/boot_id"


class Identity(msgspec.Struct, frozen=True):
    """One process of one boot of the machine."""

    pid: int
    started: str  # field 22 of /proc/<pid>/stat
    boot: str = ""


class Stat(msgspec.Struct, frozen=True):
    """What the kernel says about a process, as far as it matters here."""

    pid: int
    state: str  # Z and X have ended
    session: int
    started: str
    wait_status: int  # as waitpid gives it; of a zombie

    @property
    def ended(self) -> bool:
        """True when only its entry in the process table is left."""
        return self.state in "ZX"


def parse_stat(text: str) -> Stat:
    """A line of /proc/<pid>/stat. Its second field may hold spaces and brackets."""
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    status = int(fields[49]) if len(fields) > 49 else 0
    return Stat(int(head.split(" ", 1)[0]), fields[0], int(fields[3]), fields[19], status)


def stat_of(pid: int) -> Stat | None:
    """The kernel's account of a process, or None when there is none."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, ValueError, IndexError):
        return None


def identity_of(pid: int) -> Identity | None:
    """The identity of the process that has this pid now; None when there is none or it has ended."""
    stat = stat_of(pid)
    return None if stat is None or stat.ended else Identity(pid, stat.started, boot())


def is_alive(identity: Identity) -> bool:
    """True while exactly this process runs. A zombie does not."""
    return identity_of(identity.pid) == identity


def read_pid_file(path: Path) -> Identity | None:
    """What the wrapper of `spawn` wrote: pid, stat line, boot. None when it is not (fully) there."""
    try:
        lines = path.read_text(errors="replace").split("\n")
    except OSError:
        return None
    if len(lines) < 4 or not lines[0].isdigit():
        return None
    try:
        return Identity(int(lines[0]), parse_stat(lines[1]).started, lines[2])
    except (ValueError, IndexError):
        return None


def processes() -> Iterator[Stat]:
    """Every process there is."""
    for entry in os.scandir(PROC):
        if entry.name.isdigit() and (stat := stat_of(int(entry.name))) is not None:
            yield stat


def mark_of(pid: int, name: str) -> str | None:
    """The value of an environment variable that a process was started with, if it may be read."""
    try:
        environment = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    prefix = name.encode() + b"="
    for entry in environment.split(b"\0"):
        if entry.startswith(prefix):
            return os.fsdecode(entry[len(prefix) :])
    return None


def signal_number(name: str) -> int:
    """SIGTERM, TERM or 15 as a number."""
    text = name.strip().upper()
    try:
        if text.isdigit():
            return int(signal.Signals(int(text)))
        return int(signal.Signals[text if text.startswith("SIG") else "SIG" + text])
    except (KeyError, ValueError):
        raise RuntimeTrouble(f'cannot send signal "{name}": there is no such signal') from None


def boot() -> str:
    """Changes whenever the machine starts: start times count from there."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""
