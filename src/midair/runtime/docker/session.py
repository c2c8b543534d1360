"""Commands of people in containers: in that of a replica, or in a container of their own, which is no replica.

The engine ends neither with its client: midair does, also after a daemon that was killed.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiohttp
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError
from aiodocker.execs import Exec
from aiodocker.stream import Stream

MARK = "MIDAIR_MARK"  # whose process this is; inherited by all that it starts
GRACE_S = 2.0  # between the stop signal and SIGKILL
_LOOK_S = 0.05
_KILLED = 137
_END_OF_INPUT = b"\x04"  # as a terminal has it
_GONE = (DockerError, aiohttp.ClientError, OSError)  # the command, its container or the engine has ended
# The engine cannot signal what an exec has started. Only builtins: small images have a shell and nothing else.
_SIGNAL_MARKED = """
for each in /proc/[0-9]*; do
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in *"$1"*) kill -"$2" "${each#/proc/}"; break;; esac
  done <"$each/environ"
done 2>/dev/null; true
"""


class DockerSession:
    """What both kinds share. See `runtime.base.CommandSession`."""

    def __init__(self, container: DockerContainer, stream: Stream, *, tty: bool) -> None:
        self._container, self._stream, self._tty = container, stream, tty
        self._code: int | None = None
        self._asks = asyncio.Lock()

    async def read(self) -> tuple[bool, bytes] | None:
        """More output."""
        with suppress(*_GONE):
            message = await self._stream.read_out()
            return None if message is None else (message.stream == 2, message.data)
        return None

    async def write(self, data: bytes) -> None:
        """Hand input over."""
        with suppress(*_GONE, RuntimeError, AssertionError):  # the latter two: aiodocker's own, at the end
            await self._stream.write_in(data)

    async def close_input(self) -> None:
        """End the input."""
        if self._tty:
            await self.write(_END_OF_INPUT)
            return
        connection = self._stream._resp.connection if self._stream._resp is not None else None
        transport = connection.transport if connection is not None else None
        if transport is not None and transport.can_write_eof():
            transport.write_eof()

    async def resize(self, rows: int, columns: int) -> None:
        """Change the size of the terminal."""
        if self._tty:
            with suppress(*_GONE):
                await self._resize(rows, columns)

    async def signal(self, name: str) -> None:
        """Send a signal to the command."""
        with suppress(*_GONE):
            await self._signal(name)

    async def wait(self) -> int:
        """The exit code; 137 when it is unknown."""
        async with self._asks:
            if self._code is None:
                try:
                    self._code = await self._wait()
                except _GONE:
                    self._code = _KILLED
        return self._code

    async def close(self) -> None:
        """End it."""
        waiting = asyncio.create_task(self.wait())
        try:
            done, _ = await asyncio.wait((waiting,), timeout=_LOOK_S * 2)
            for name in () if done else ("SIGTERM", "SIGKILL"):
                await self.signal(name)
                done, _ = await asyncio.wait((waiting,), timeout=GRACE_S)
                if done:
                    break
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            self._code = _KILLED if self._code is None else self._code
            await self._stream.close()
            with suppress(*_GONE):
                await self._clear()

    async def _resize(self, rows: int, columns: int) -> None:
        raise NotImplementedError

    async def _signal(self, name: str) -> None:
        raise NotImplementedError

    async def _wait(self) -> int:
        raise NotImplementedError

    async def _clear(self) -> None:
        raise NotImplementedError


class ExecSession(DockerSession):
    """A command in the container of a replica. `mark` is in its environment; `user` is the one it was started as."""

    def __init__(
        self, container: DockerContainer, execution: Exec, stream: Stream, *, mark: str, user: str, tty: bool,
        cleared: Callable[[], None],
    ) -> None:  # fmt: skip
        super().__init__(container, stream, tty=tty)
        self._execution, self._mark, self._user, self._cleared = execution, mark, user, cleared

    async def _resize(self, rows: int, columns: int) -> None:
        await self._execution.resize(h=rows, w=columns)

    async def _signal(self, name: str) -> None:
        await signal_marked(self._container, self._mark, self._user, name)

    async def _wait(self) -> int:
        while True:
            seen = await self._execution.inspect()
            if not seen["Running"] and seen["ExitCode"] is not None:
                return int(seen["ExitCode"])
            await asyncio.sleep(_LOOK_S)  # the engine's event of the end comes before the code can be read

    async def _clear(self) -> None:
        """Kill what the command has left running."""
        try:
            await self._signal("SIGKILL")
        finally:
            self._cleared()


class ContainerSession(DockerSession):
    """A container that is no replica."""

    async def _resize(self, rows: int, columns: int) -> None:
        await self._container.resize(h=rows, w=columns)

    async def _signal(self, name: str) -> None:
        await self._container.kill(signal=name)

    async def _wait(self) -> int:
        return int((await self._container.wait())["StatusCode"])

    async def _clear(self) -> None:
        await self._container.delete(force=True, v=True)


async def signal_marked(container: DockerContainer, mark: str, user: str, name: str) -> None:
    """Send a signal to every process of a user in the container that has the mark. Needs a shell in the image.

    As the same user: root in a container may not read the environment of other users' processes. Raises DockerError.
    """
    words = ["sh", "-c", _SIGNAL_MARKED, "midair", f"{MARK}={mark}", name.removeprefix("SIG")]
    execution = await container.exec(words, user=user)
    async with execution.start(detach=False) as stream:
        while await stream.read_out() is not None:
            pass
