"""A command in memory: prints its words, then its input, and ends with the input or a signal."""

import asyncio

from midair.model.command import Command


class FakeSession:
    """See `runtime.base.CommandSession`."""

    def __init__(self, command: Command) -> None:
        self._output: asyncio.Queue[bytes] = asyncio.Queue()
        self._output.put_nowait(" ".join(command.words).encode())
        self._code = 0
        self._ended = asyncio.Event()

    async def read(self) -> tuple[bool, bytes] | None:
        """What was printed."""
        data = await self._output.get()
        if not data:
            self._ended.set()
            return None
        return False, data

    async def write(self, data: bytes) -> None:
        """Print it."""
        self._output.put_nowait(data)

    async def close_input(self) -> None:
        """End."""
        self._output.put_nowait(b"")

    async def resize(self, rows: int, columns: int) -> None:
        """Print it."""
        self._output.put_nowait(f"{rows}x{columns}".encode())

    async def signal(self, name: str) -> None:
        """End as by a signal."""
        self._code = 130
        self._output.put_nowait(b"")

    async def wait(self) -> int:
        """The exit code."""
        await self._ended.wait()
        return self._code

    async def close(self) -> None:
        """End."""
        self._output.put_nowait(b"")
        self._ended.set()
