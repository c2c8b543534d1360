"""The daemon's side of a command that somebody uses: its streams, its terminal, its end. `attendant` is the other."""

import asyncio
import contextlib
import fcntl
import os
import pty
import socket
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from typing import Self

from midair.errors import RuntimeTrouble
from midair.runtime.process import attendant
from midair.runtime.process.child import identity_of_child
from midair.runtime.process.identity import Identity, signal_number
from midair.runtime.process.leftover import kill_strays
from midair.runtime.process.spawn import Spawn
from midair.runtime.process.watch import Watch

_BLOCK = 64 * 1024
_KILLED = 137
_LAST_S = 1.0  # for output that something else than the command still holds open
_END_OF_INPUT = b"\x04"  # as a terminal has it


class ProcessSession:
    """One command. See `runtime.base.CommandSession`."""

    def __init__(self, identity: Identity, control: socket.socket, mark: str, streams: "_Streams") -> None:
        self._control, self._mark, self._streams = control, mark, streams
        self._ended = asyncio.Event()
        self._watch = Watch(identity, self._ended.set)
        self._code: int | None = None
        self._swept = False

    @classmethod
    def begin(cls, start: Spawn, mark: str, size: tuple[int, int] | None) -> Self:
        """Start a command, with a terminal of this many rows and columns if any. Raises RuntimeTrouble."""
        if not start.folder.is_dir():
            raise RuntimeTrouble(f'cannot start {start.name}: folder "{start.folder}" does not exist')
        with contextlib.ExitStack() as opened:
            try:
                ours, theirs = socket.socketpair()
                opened.callback(theirs.close)
                streams = _Streams(size)
                opened.callback(streams.close_theirs)
                identity = _attended(start, theirs.fileno(), streams)
            except (OSError, ValueError) as error:
                raise RuntimeTrouble(f"cannot start {start.name}: {error}") from error
            return cls(identity, ours, mark, streams)

    async def read(self) -> tuple[bool, bytes] | None:
        """More output."""
        streams = self._streams
        while streams.outputs:
            for descriptor in tuple(streams.outputs):
                if (data := streams.read(descriptor)) is not None:
                    if data:
                        return descriptor == streams.errors, data
                    streams.outputs.remove(descriptor)
            if streams.outputs and not await self._has_output():
                streams.outputs.clear()
        return None

    async def write(self, data: bytes) -> None:
        """Hand input over."""
        while data and (descriptor := self._streams.input) is not None:
            try:
                data = data[os.write(descriptor, data) :]
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await _until((descriptor,), loop.add_writer, loop.remove_writer)
            except OSError:  # nobody reads it any more
                self._streams.close_input()

    async def close_input(self) -> None:
        """End the input."""
        if self._streams.is_terminal:
            await self.write(_END_OF_INPUT)
        else:
            self._streams.close_input()

    async def resize(self, rows: int, columns: int) -> None:
        """Change the size of the terminal."""
        self._streams.resize(rows, columns)

    async def signal(self, name: str) -> None:
        """Send a signal to the command's process group."""
        with contextlib.suppress(OSError):
            self._control.send(bytes((signal_number(name),)))

    async def wait(self) -> int:
        """The exit code."""
        await self._ended.wait()
        if self._code is None:
            code = self._watch.exit_code()
            self._code = _KILLED if code is None or code < 0 else code
            self._swept = code is not None and code >= 0
        return self._code

    async def end(self) -> None:
        """End all of it, whoever reads on."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        await self.wait()
        if not self._swept:  # its attendant was killed by somebody
            self._swept = True
            await asyncio.to_thread(kill_strays, lambda mark: mark == self._mark)

    async def close(self) -> None:
        """End it, and let go of its streams: a terminal hangs up."""
        self._streams.close()
        try:
            await self.end()
        finally:
            self._watch.close()
            self._control.close()

    async def _has_output(self) -> bool:
        """Wait for more. False: it has ended, and what holds its output open is not its own."""
        loop = asyncio.get_running_loop()
        more = asyncio.create_task(_until(tuple(self._streams.outputs), loop.add_reader, loop.remove_reader))
        ended = asyncio.create_task(self._ended.wait())
        try:
            await asyncio.wait((more, ended), return_when=asyncio.FIRST_COMPLETED)
            if not more.done():
                await asyncio.wait((more,), timeout=_LAST_S)
            return more.done()
        finally:
            more.cancel()
            ended.cancel()
            await asyncio.gather(more, ended, return_exceptions=True)


class _Streams:
    """The descriptors of a command's input and output: of this process, and of the command until it has them."""

    def __init__(self, size: tuple[int, int] | None) -> None:
        self.is_terminal = size is not None
        if size is not None:
            own, other = pty.openpty()
            self.theirs = [other, other, other]
            self._own, self.input, self.outputs, self.errors = {own}, own, [own], -1
            self.resize(*size)
        else:
            pipes = [os.pipe() for _ in range(3)]
            self.theirs = [pipes[0][0], pipes[1][1], pipes[2][1]]
            self.input, self.outputs, self.errors = pipes[0][1], [pipes[1][0], pipes[2][0]], pipes[2][0]
            self._own = {self.input, *self.outputs}
        for descriptor in self._own:
            os.set_blocking(descriptor, False)

    input: int | None
    outputs: list[int]

    def read(self, descriptor: int) -> bytes | None:
        """What is there; b"" at the end, None when nothing is there yet."""
        try:
            return os.read(descriptor, _BLOCK)
        except BlockingIOError:
            return None
        except OSError:  # how a terminal ends
            return b""

    def resize(self, rows: int, columns: int) -> None:
        """Tell the terminal its size, and those who use it that it has changed."""
        if self.is_terminal and self.input is not None:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self.input, termios.TIOCSWINSZ, size)

    def close_theirs(self) -> None:
        """Close what the command has now."""
        for descriptor in set(self.theirs):
            os.close(descriptor)

    def close_input(self) -> None:
        """Close the command's input, where that is not its output, too."""
        descriptor, self.input = self.input, None
        if descriptor is not None and not self.is_terminal:
            self._own.discard(descriptor)
            os.close(descriptor)

    def close(self) -> None:
        """Close all of it."""
        self.input, self.outputs = None, []
        while self._own:
            os.close(self._own.pop())


def _attended(start: Spawn, control: int, streams: _Streams) -> Identity:
    words = (*(start.user.prefix if start.user else ()), *start.argv)
    kind = "tty" if streams.is_terminal else "pipes"
    given = streams.theirs
    process = subprocess.Popen(
        (sys.executable, "-I", "-S", attendant.__file__, str(control), kind, *words),
        cwd=start.folder,
        env={**start.environment, **(start.user.environment if start.user else {})},
        stdin=given[0],
        stdout=given[1],
        stderr=given[2],
        pass_fds=(control,),
        start_new_session=True,
    )
    process.returncode = 0  # reaped by the session's watch
    return identity_of_child(process.pid)


async def _until(
    descriptors: tuple[int, ...], add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], object]
) -> None:
    """Wait until one of them can be used."""
    ready = asyncio.Event()
    with _added(descriptors, ready.set, add, remove):
        await ready.wait()


@contextlib.contextmanager
def _added(
    descriptors: tuple[int, ...],
    call: Callable[[], None],
    add: Callable[[int, Callable[[], None]], None],
    remove: Callable[[int], object],
) -> Iterator[None]:
    for descriptor in descriptors:
        add(descriptor, call)
    try:
        yield
    finally:
        for descriptor in descriptors:
            remove(descriptor)
