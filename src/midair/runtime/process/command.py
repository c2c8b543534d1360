"""Runs a short command to its end: a probe, a hook, a build. Never leaves a process behind while midair lives."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from midair.model.moment import Span, format_span
from midair.runtime.error_line import error_line
from midair.runtime.process.child import start_child
from midair.runtime.process.identity import Identity
from midair.runtime.process.output import Output
from midair.runtime.process.program import missing_interpreter
from midair.runtime.process.user import User
from midair.runtime.process.watch import Watch


class Command(msgspec.Struct, frozen=True):
    """A command and where it runs."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    timeout_s: Span
    user: User | None = None
    name: str = ""  # in reasons; "": the program in quotes

    @property
    def called(self) -> str:
        """What a reason calls it."""
        return self.name or f'"{self.argv[0]}"'


class Ended(msgspec.Struct, frozen=True):
    """How it went. `trouble` is empty when the command ended with 0."""

    code: int | None
    output: str  # the last of it
    trouble: str


async def run(command: Command, line: Callable[[str], None] | None = None) -> Ended:
    """Run it; `line` gets each line of output as it comes. Cancelling kills it and all it started."""
    argv = (*(command.user.prefix if command.user else ()), *command.argv)
    try:
        with Output(line) as output:
            identity = start_child(argv, command.environment, command.folder, command.user, output.writer)
            code = await _finish(identity, command.timeout_s)
    except (OSError, ValueError) as error:
        return Ended(None, "", f"{command.called} could not be run: {_reason(error, command)}")
    tail = output.tail
    if code is None:
        return Ended(None, tail, f"{command.called} did not end within {format_span(command.timeout_s)}")
    return Ended(code, tail, "" if code == 0 else f"{command.called} ended with code {code}" + _quoted(tail))


def _reason(error: OSError | ValueError, command: Command) -> str:
    if isinstance(error, FileNotFoundError):
        path = command.environment.get("PATH", os.defpath)
        if interpreter := missing_interpreter(command.argv[0], command.folder, path):
            return f'its interpreter "{interpreter}" does not exist'
    place = f": {command.folder}" if getattr(error, "filename", "") == str(command.folder) else ""
    return (getattr(error, "strerror", None) or str(error)) + place


async def _finish(identity: Identity, timeout_s: Span) -> int | None:
    ended = asyncio.Event()
    watch = Watch(identity, ended.set)
    try:
        async with asyncio.timeout(timeout_s):  # `wait_for` may swallow a cancellation in Python 3.11
            await ended.wait()
    except TimeoutError:
        pass
    finally:
        finished = ended.is_set()
        _kill_group(identity.pid)  # before it is reaped: until then the pid cannot be another's
        try:
            await ended.wait()
        finally:
            code = watch.exit_code()
            watch.close()
    return code if finished else None


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def _quoted(tail: str) -> str:
    line = error_line(tail)
    return f": {line}" if line else ""
