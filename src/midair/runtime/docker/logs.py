"""Logs of containers, read through the engine's API: with any log driver, and for all whom the engine serves."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId, service_of
from midair.model.moment import Moment
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import replica_of
from midair.runtime.entry import Entry

NOTICE = "midair"  # the stream of a line that is about the log
_SECOND = 10**9  # nanoseconds
_AGAIN_S = 2.0  # until a log that ended is asked for again: the container or the engine may have been restarted
_BATCH = 500  # lines
_MOST = 2000  # lines that wait to be read
_HEAD = 8  # bytes before each part: its stream, three of nothing, its length
_STREAMS = {1: "stdout", 2: "stderr"}
_FOREVER = aiohttp.ClientTimeout(total=None)
Line = tuple[Entry, int]  # and the moment after it, in nanoseconds since 1970


class ContainerLog:
    """The log of a container. Made in the loop in which it is read."""

    def __init__(self, client: aiodocker.Docker, container: dict[str, Any]) -> None:
        self.client, self.container, self.id = client, container, str(container["Id"])
        self.loop = asyncio.get_running_loop()

    def open(self, *, after: int, tail: int | None, since: Moment | None, follow: bool) -> "Reading":
        """Read it from a moment on (nanoseconds since 1970), or its last lines."""
        start = max(after, round((since or 0.0) * _SECOND))
        return Reading(self, start, tail, follow=follow)


def logs_of(
    client: aiodocker.Docker, containers: Iterable[dict[str, Any]], service: str
) -> tuple[tuple[ReplicaId, ContainerLog], ...]:
    """Logs of the service's replicas among these containers."""
    known = ((replica_of(container), container) for container in containers)
    return tuple(
        (replica, ContainerLog(client, container))
        for replica, container in known
        if replica is not None and service_of(replica) == service
    )


class Reading:
    """A log that is being read on. `read` is called outside of the loop, all else in it."""

    def __init__(self, log: ContainerLog, start: int, tail: int | None, *, follow: bool) -> None:
        self.at = start
        self._log, self._tail, self._follow = log, tail, follow
        self._lines: deque[Line] = deque()
        self._is_past = False  # all that was printed before has been taken
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def read(self) -> list[Line]:
        """Lines that nobody has read, so many at a time. Empty: there is none now."""
        return asyncio.run_coroutine_threadsafe(self._next(), self._log.loop).result()

    def close(self) -> None:
        """Let go of the engine."""
        if self._task is not None:
            self._task.cancel()

    async def _next(self) -> list[Line]:
        if self._task is None:
            self._task = asyncio.create_task(self._take_all())
        while not self._lines and not self._is_past:
            self._news.clear()
            await self._news.wait()
        lines = [self._lines.popleft() for _ in range(min(_BATCH, len(self._lines)))]
        self._room.set()
        if lines:
            self.at = lines[-1][1]
        return lines

    async def _take_all(self) -> None:
        begin = int(datetime.now(UTC).timestamp() * _SECOND) if self._tail == 0 else self.at
        try:
            if self._tail != 0:
                begin = await self._take(begin, {"tail": str(self._tail)} if self._tail is not None else {})
        except RuntimeTrouble as error:
            self._lines.append((Entry(error.message, None, NOTICE), begin))
            self._follow = False
        finally:
            self._is_past = True
            self._news.set()
        while self._follow:
            with suppress(RuntimeTrouble):
                begin = await self._take(begin, {"follow": "true"})
            await asyncio.sleep(_AGAIN_S)

    async def _take(self, begin: int, params: dict[str, str]) -> int:
        """Take in what the engine sends from a moment on: the moment after the last line. Raises RuntimeTrouble."""
        since = f"{begin // _SECOND}.{begin % _SECOND:09}"
        query = {"stdout": "true", "stderr": "true", "timestamps": "true", "since": since, **params}
        try:
            async with trouble("read the log"), self._log.client._query(
                f"containers/{self._log.id}/logs", params=query, timeout=_FOREVER
            ) as answer:  # fmt: skip
                try:
                    async for stream, text in _lines(answer.content, is_tty=self._log.container["Config"]["Tty"]):
                        entry, after = entry_of(stream, text)
                        begin = max(begin, after)
                        await self._add((entry, begin))
                finally:
                    answer.close()
        except RuntimeTrouble as error:
            cause = error.__cause__
            if isinstance(cause, DockerError) and cause.status == 404:
                return begin  # it was removed
            driver = (self._log.container["HostConfig"].get("LogConfig") or {}).get("Type") or "unknown"
            raise RuntimeTrouble(f'{error.message} (log driver "{driver}")') from error
        return begin

    async def _add(self, line: Line) -> None:
        while len(self._lines) >= _MOST:
            self._room.clear()
            await self._room.wait()
        self._lines.append(line)
        self._news.set()


def entry_of(stream: str, text: str) -> Line:
    """A line as the engine sends it, with its time before it."""
    stamp, _, rest = text.partition(" ")
    try:
        seconds = datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()
        exact = int(seconds) * _SECOND + int(stamp[19:].strip(".Z").ljust(9, "0"))
    except ValueError:
        return Entry(text, None, stream), 0
    return Entry(rest, exact / _SECOND, stream), exact + 1


async def last_lines(client: aiodocker.Docker, container: str, number: int, *, is_tty: bool) -> list[Entry]:
    """The last so many lines of a container's log; none where it cannot be read."""
    query = {"stdout": "true", "stderr": "true", "timestamps": "true", "tail": str(number)}
    entries = []
    with suppress(DockerError, aiohttp.ClientError, OSError):
        async with client._query(f"containers/{container}/logs", params=query) as answer:
            async for stream, text in _lines(answer.content, is_tty=is_tty):
                entries.append(entry_of(stream, text)[0])
    return entries


async def _lines(content: aiohttp.StreamReader, *, is_tty: bool) -> AsyncIterator[tuple[str, str]]:
    """Whole lines and their streams. The engine hands a long line on in parts, each with a time of its own."""
    open_lines: dict[str, str] = {}
    async for stream, part in _parts(content, is_tty=is_tty):
        known = open_lines.pop(stream, "")
        whole = known + (part.partition(" ")[2] if known and not is_tty else part)
        *lines, rest = whole.split("\n")
        for line in lines:
            yield stream, line.removesuffix("\r")
        if rest:
            open_lines[stream] = rest
    for stream, rest in open_lines.items():
        yield stream, rest


async def _parts(content: aiohttp.StreamReader, *, is_tty: bool) -> AsyncIterator[tuple[str, str]]:
    with suppress(asyncio.IncompleteReadError):
        while is_tty:
            data = await content.readany()
            if not data:
                return
            yield "", data.decode(errors="replace")
        while True:
            head = await content.readexactly(_HEAD)
            data = await content.readexactly(int.from_bytes(head[4:]))
            yield _STREAMS.get(head[0], ""), data.decode(errors="replace")
