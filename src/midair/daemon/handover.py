"""How one daemon takes over from another: it inherits the listening socket and the lock, and waits for the word.

    old                                   new
    start it with socket, lock, go  ──▶   import everything, look at the database
                                    ◀──   report "ready" (or why not: then the old one goes on)
    end: nothing begun any more
    close "go"                      ──▶   open the store, adopt what runs, answer
    or say "stay" through it        ──▶   end

Connections made meanwhile wait in the socket that both have; none is refused.
"""

import asyncio
import contextlib
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Self

import msgspec

from midair.api.problem import error_answer
from midair.errors import DaemonTrouble, MidairError, UsageRefused
from midair.view.error import ErrorAnswer

READY = b"ready\n"
STAY = b"-"


class Report:
    """Tells whoever started this process how the start went, through a pipe. Without one, nobody is told."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # replicas must not keep the pipe open

    def ready(self) -> None:
        """It answers, or can take over."""
        self._write(READY)

    def failed(self, error: MidairError) -> None:
        """It ends instead."""
        self._write(msgspec.json.encode(error_answer(error)))

    def _write(self, text: bytes) -> None:
        if self._descriptor is None:
            return
        try:
            os.write(self._descriptor, text)
        except BrokenPipeError:
            pass  # who asked is gone
        os.close(self._descriptor)
        self._descriptor = None


class Inherited(msgspec.Struct, frozen=True):
    """What a successor gets from its predecessor."""

    socket: int
    lock: int
    go: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """From the command line."""
        made = cls(*(int(part) for part in text.split(",")))
        for descriptor in (made.socket, made.lock, made.go):
            os.set_inheritable(descriptor, False)
        return made

    def await_go(self) -> bool:
        """True when the predecessor has ended, in whatever way; False when it goes on, and this process is to end."""
        said = os.read(self.go, 1)
        os.close(self.go)
        return said != STAY


class Successor:
    """A process that can take over. Closing `go`, or the end of this process, lets it; a word through it ends it."""

    def __init__(self, go: int) -> None:
        self._go = go

    def go(self) -> None:
        """Let it take over."""
        os.close(self._go)

    def dismiss(self) -> None:
        """Let it end."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._go, STAY)
        os.close(self._go)


async def start_successor(home: Path, socket: int, lock: int, python: str) -> Successor:
    """Start a successor and wait until it can take over. Raises DaemonTrouble when it cannot.

    `python`: the interpreter of another installation; "": this one.
    """
    check_interpreter(python)
    report_read, report_write = os.pipe()
    go_read, go_write = os.pipe()
    handed = (socket, lock, go_read, report_write)
    try:
        complaint = await asyncio.to_thread(_start, home, f"{socket},{lock},{go_read}", handed, python)
    finally:
        os.close(report_write)
        os.close(go_read)
    successor = Successor(go_write)
    try:
        said = await asyncio.to_thread(_read_report, report_read)
    except BaseException:  # whoever asked for it has gone
        successor.dismiss()
        raise
    if said == READY:
        return successor
    successor.dismiss()
    raise DaemonTrouble(f"cannot restart the daemon: {_reason(said, complaint)}", hint="see what is wrong; it goes on")


def check_interpreter(python: str) -> None:
    """Raise UsageRefused for an interpreter that this user should not run."""
    if not python or python == sys.executable:
        return
    reason = ""
    try:
        found = os.stat(python)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
    else:
        if not os.path.isabs(python):
            reason = "should be an absolute path"
        elif not stat.S_ISREG(found.st_mode) or not os.access(python, os.X_OK):
            reason = "it is no program"
        elif found.st_uid not in (0, os.getuid()) or found.st_mode & 0o002:
            reason = "others may change it"
    if reason:
        raise UsageRefused(f'cannot restart the daemon with "{python}": {reason}', hint="use the midair of this user")


def _start(home: Path, inherit: str, handed: tuple[int, int, int, int], python: str) -> str:
    """Start it detached. Returns the last line of what it had to complain about before that."""
    command = [python or sys.executable, "-m", "midair.daemon", "--home", str(home), "--detach"]
    environment = dict(os.environ)
    if python not in ("", sys.executable):  # another installation has its own modules
        for name in ("PYTHONPATH", "PYTHONHOME"):
            environment.pop(name, None)
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        [*command, "--inherit", inherit, "--report", str(handed[-1])], env=environment, errors="replace",
        pass_fds=handed, start_new_session=True, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, cwd="/",
        check=False, text=True,
    )  # fmt: skip
    return next(iter(done.stderr.strip().splitlines()[-1:]), "")


def _read_report(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def _reason(said: bytes, complaint: str) -> str:
    try:
        return msgspec.json.decode(said, type=ErrorAnswer).error.message
    except msgspec.DecodeError:
        return complaint or "its successor does not start"
