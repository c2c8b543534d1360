"""How one daemon takes over from another: it inherits the listening socket and the lock, and waits for the word.

    old                                   new
    start it with socket, lock, go  ──▶   import everything, look at the database
                                    ◀──   report "ready" (or why not: then the old one goes on)
    end: nothing begun any more
    close "go"                      ──▶   open the store, adopt what runs, answer

Connections made meanwhile wait in the socket that both have; none is refused.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import msgspec

from midair.api.problem import error_answer
from midair.errors import DaemonTrouble, MidairError
from midair.view.error import ErrorAnswer

READY = b"ready\n"


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

    def await_go(self) -> None:
        """Return when the predecessor has ended, in whatever way."""
        os.read(self.go, 1)
        os.close(self.go)


class Successor:
    """A process that can take over. Closing `go`, or the end of this process, lets it."""

    def __init__(self, go: int) -> None:
        self._go = go

    def go(self) -> None:
        """Let it take over."""
        os.close(self._go)


async def start_successor(home: Path, socket: int, lock: int) -> Successor:
    """Start a successor and wait until it can take over. Raises DaemonTrouble when it cannot."""
    report_read, report_write = os.pipe()
    go_read, go_write = os.pipe()
    handed = (socket, lock, go_read, report_write)
    try:
        await asyncio.to_thread(_start, home, f"{socket},{lock},{go_read}", handed)
    finally:
        os.close(report_write)
        os.close(go_read)
    said = await asyncio.to_thread(_read_report, report_read)
    if said == READY:
        return Successor(go_write)
    os.close(go_write)
    raise DaemonTrouble(f"cannot restart the daemon: {_reason(said)}", hint="midair goes on as it was")


def _start(home: Path, inherit: str, handed: tuple[int, int, int, int]) -> None:
    command = [sys.executable, "-m", "midair.daemon", "--home", str(home), "--detach"]
    nothing = subprocess.DEVNULL
    subprocess.run(
        [*command, "--inherit", inherit, "--report", str(handed[-1])],
        pass_fds=handed, start_new_session=True, stdin=nothing, stdout=nothing, stderr=nothing, cwd="/", check=False,
    )  # fmt: skip


def _read_report(descriptor: int) -> bytes:
    with open(descriptor, "rb") as pipe:
        return pipe.read()


def _reason(said: bytes) -> str:
    try:
        return msgspec.json.decode(said, type=ErrorAnswer).error.message
    except msgspec.DecodeError:
        return "its successor does not start"
