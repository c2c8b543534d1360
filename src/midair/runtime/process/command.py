"""Runs a short command to its end: a probe, a hook, a build. Never leaves a process behind while midair lives."""

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import msgspec

from midair.model.moment import Span, format_span
from midair.runtime.process.child import start_child
from midair.runtime.process.identity import Identity
from midair.runtime.process.user import User
from midair.runtime.process.watch import Watch

_TAIL = 4096  # bytes of output that are kept
_LOOK_S = 0.1  # between two looks at growing output


class Command(msgspec.Struct, frozen=True):
    """A command and where it runs."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    timeout_s: Span
    user: User | None = None


class Ended(msgspec.Struct, frozen=True):
    """How it went. `trouble` is empty when the command ended with 0."""

    code: int | None
    output: str  # the last of it
    trouble: str


async def run(command: Command, line: Callable[[str], None] | None = None) -> Ended:
    """Run it; `line` gets each line of output as it comes. Cancelling kills it and all it started."""
    with tempfile.TemporaryFile() as output:
        try:
            become = command.user.prefix if command.user else ()
            argv = (*become, *command.argv)
            identity = start_child(argv, command.environment, command.folder, command.user, output)
        except (OSError, ValueError) as error:
            place = f": {command.folder}" if getattr(error, "filename", "") == str(command.folder) else ""
            reason = getattr(error, "strerror", None) or str(error)
            return Ended(None, "", f'"{command.argv[0]}" could not be run: {reason}{place}')
        code = await _finish(identity, command.timeout_s, output, line)
        tail = _tail(output)
    if code is None:
        return Ended(None, tail, f'"{command.argv[0]}" did not end within {format_span(command.timeout_s)}')
    return Ended(code, tail, "" if code == 0 else f'"{command.argv[0]}" ended with code {code}' + _last_line(tail))


async def _finish(
    identity: Identity, timeout_s: Span, output: IO[bytes], line: Callable[[str], None] | None
) -> int | None:
    ended = asyncio.Event()
    watch = Watch(identity, ended.set)
    lines = _Lines(output.fileno(), line)
    follower = asyncio.create_task(lines.follow()) if line is not None else None
    try:
        async with asyncio.timeout(timeout_s):  # `wait_for` may swallow a cancellation in Python 3.11
            await ended.wait()
    except TimeoutError:
        pass
    finally:
        if follower is not None:
            follower.cancel()
        finished = ended.is_set()
        _kill_group(identity.pid)  # before it is reaped: until then the pid cannot be another's
        try:
            await ended.wait()
        finally:
            code = watch.exit_code()
            watch.close()
    lines.rest()
    return code if finished else None


class _Lines:
    """Hands out the lines of a growing file. Reads by position: the descriptor's own is shared with the writer."""

    def __init__(self, descriptor: int, line: Callable[[str], None] | None) -> None:
        self._descriptor = descriptor
        self._line = line
        self._position = 0
        self._partial = b""

    async def follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            self.look()

    def look(self) -> None:
        while chunk := os.pread(self._descriptor, 65536, self._position):
            self._position += len(chunk)
            *whole, self._partial = (self._partial + chunk).split(b"\n")
            for text in whole:
                self._tell(text)

    def rest(self) -> None:
        if self._line is not None:
            self.look()
            if self._partial:
                self._tell(self._partial)

    def _tell(self, text: bytes) -> None:
        if self._line is not None:
            self._line(text.decode(errors="replace").rstrip("\r"))


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _tail(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    return os.pread(output.fileno(), _TAIL, max(0, size - _TAIL)).decode(errors="replace").strip()


def _last_line(tail: str) -> str:
    return f": {tail.splitlines()[-1][:200]}" if tail else ""
