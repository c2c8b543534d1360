"""What replicas printed, read from their log files, and through the engine where they are containers."""

import asyncio
import heapq
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from types import NoneType

import msgspec
from starlette.responses import Response

from midair.api.endpoint import Call, Endpoint
from midair.api.stream import ALIVE, ALIVE_S, sse, stream
from midair.api.tail import Line, Tail
from midair.engine.engine import Engine
from midair.engine.keeper import Keeper, did_you_mean
from midair.errors import NotFound, RuntimeTrouble
from midair.model.ids import ReplicaId, service_of
from midair.model.moment import Moment
from midair.runtime.base import LogReading, ReplicaLog
from midair.runtime.entry import entry_of
from midair.view.log import LogLine

BATCH = 500  # lines that are read at once, beside the loop
_NANOSECONDS = 10**9  # of a second
LOOK_S = 0.2  # between two looks at the files while somebody follows them
File = tuple[str, str]  # replica and path
Log = tuple[ReplicaId, ReplicaLog]
TEXT = (
    "Server-sent events. `line`: a LogLine, in order of time. While following, also `here`: where each log has been "
    "read to, by replica; `bye`: the daemon was stopped for good, or what was followed was removed. A reader that "
    "comes again with the last `at` of each replica in `after` misses nothing."
)


class LogsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines."""

    service: str | None = None
    follow: bool = False
    replica: str | None = None
    tail: int | None = None  # the last so many of all
    since: Moment | None = None  # those printed from then on
    after: str = ""  # where a reader left off: a JSON object of the last `at` by replica


async def list_logs(call: Call) -> Response:
    keeper = call.engine.keeper(call.project)
    await keeper.look()  # until then a daemon that has just begun knows no logs
    service_names(keeper, call.query.service)
    return stream(_lines(call.engine, call.project, call.query, _Reader(call.query)))


def service_names(keeper: Keeper, service: str | None) -> list[str]:
    """Services whose logs are asked for. Raises NotFound."""
    known = keeper.state.base.project.services if keeper.state.base else {}
    tried = keeper.state.change.after.project.services if keeper.state.change else {}  # also when it went back
    names = list(keeper.state.rollouts.keys() | known.keys() | tried.keys())
    if service is not None and service not in names:
        raise NotFound(
            f'cannot show logs of "{service}": project "{keeper.name}" has no such service now',
            hint=did_you_mean(service, names),
        )
    return sorted(names) if service is None else [service]


def _sources(keeper: Keeper, query: LogsQuery) -> tuple[list[File], list[Log]]:
    """Log files, and logs that are no files."""
    files: list[File] = []
    logs: list[Log] = []
    for name in service_names(keeper, query.service):
        for runtime in keeper.world.runtimes.values():
            files += [file for file in runtime.log_files(name) if query.replica in (None, file[0])]
            with suppress(RuntimeTrouble):  # the engine does not answer: asked again at the next look
                logs += [log for log in runtime.container_logs(name) if query.replica in (None, log[0])]
    return files, logs


class _Reader:
    """The logs of one caller, each read on from where it was."""

    def __init__(self, query: LogsQuery) -> None:
        self._left_off = _left_off(query.after)
        # One that came while following, or while its follower was away, is shown from its beginning.
        self._tail = None if query.after or query.tail is None else max(query.tail, 0)
        self._since, self._follow = query.since, query.follow
        self._tails: dict[File, Tail] = {}
        self._times: dict[File, Moment] = {}
        self._readings: dict[tuple[ReplicaId, str], LogReading] = {}

    def read(self, files: list[File], logs: list[Log], *, last: bool) -> Iterator[LogLine]:
        """What is new in them, in order of time. `last`: also a line that has no end yet."""
        for replica, log in logs:
            if (replica, log.id) not in self._readings:
                self._readings[replica, log.id] = log.open(
                    after=self._left_off.get(replica, 0), tail=self._tail, since=self._since, follow=self._follow
                )
        # What was removed meanwhile is read to its end, and not once more out of what is kept of it.
        followed = {replica for replica, _ in self._readings}
        merged = heapq.merge(
            *(self._lines(file, last) for file in files if file in self._tails or file[0] not in followed),
            *(_read_on(replica, reading) for (replica, _), reading in self._readings.items()),
            key=lambda timed: timed[0],
        )
        lines = (line for _, line in merged)
        yield from lines if self._tail is None else deque(lines, maxlen=self._tail)
        self._tail = None

    def places(self) -> dict[str, int]:
        """Where each log has been read to, by replica."""
        places = {replica: tail.at for (replica, _), tail in self._tails.items()}
        for (replica, _), reading in self._readings.items():
            places[replica] = max(places.get(replica, 0), reading.at)
        return places

    def close(self) -> None:
        """Let go of what is followed."""
        for reading in self._readings.values():
            reading.close()

    def _lines(self, file: File, last: bool) -> Iterator[tuple[Moment, LogLine]]:
        """The new lines of one file. One without a time of its own comes with the line before it."""
        tail = self._tails.get(file) or self._open(*file)
        self._tails[file] = tail
        while lines := tail.read():
            yield from self._timed(file, lines)
        if last:
            yield from self._timed(file, tail.finish())

    def _timed(self, file: File, lines: list[Line]) -> Iterator[tuple[Moment, LogLine]]:
        replica, path = file
        for text, at in lines:
            entry = entry_of(path, text)
            if entry.time is not None:
                self._times[file] = entry.time
            time = self._times.get(file)
            if time is not None and time <= self._left_off.get(replica, 0) / _NANOSECONDS:
                continue  # it was read through the engine
            if self._since is not None and (_written_at(path) if time is None else time) < self._since:
                continue
            line = LogLine(replica, entry.text, at, entry.time, service_of(ReplicaId(replica)), entry.stream)
            yield time or 0.0, line

    def _open(self, replica: str, path: str) -> Tail:
        if self._tail is not None:
            return Tail.of_last(Path(path), self._tail)
        return Tail(Path(path), self._left_off.get(replica, 0))


def _read_on(replica: ReplicaId, reading: LogReading) -> Iterator[tuple[Moment, LogLine]]:
    while lines := reading.read():
        for entry, at in lines:
            yield entry.time or 0.0, LogLine(replica, entry.text, at, entry.time, service_of(replica), entry.stream)


def _written_at(path: str) -> Moment:
    """When anything was last written: all that is known of lines without a time."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _left_off(text: str) -> dict[str, int]:
    known = msgspec.json.decode(text, type=dict[str, int]) if text else {}
    return {replica: min(max(at, 0), 2**62) for replica, at in known.items()}


async def _lines(engine: Engine, project: str, query: LogsQuery, reader: _Reader) -> AsyncIterator[bytes]:
    try:
        async for message in _messages(engine, project, query, reader):
            yield message
    finally:
        reader.close()


async def _messages(engine: Engine, project: str, query: LogsQuery, reader: _Reader) -> AsyncIterator[bytes]:
    told, silent_s = False, 0.0
    while True:
        try:
            files, logs = _sources(engine.keeper(project), query)
        except NotFound:  # it was removed while it was followed
            yield sse("bye", None)
            return
        lines = reader.read(files, logs, last=not query.follow)
        while batch := await asyncio.to_thread(lambda lines: list(islice(lines, BATCH)), lines):
            silent_s = 0.0
            for line in batch:
                yield sse("line", line)
        if not query.follow:
            return
        if not told:
            told = True
            yield sse("here", reader.places())
        if engine.bus.closed:
            if not engine.bus.comes_again:
                yield sse("bye", None)
            return
        await asyncio.sleep(LOOK_S)
        silent_s += LOOK_S
        if silent_s >= ALIVE_S:
            silent_s = 0.0
            yield ALIVE


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/projects/{project}/logs",
        "What replicas printed",
        list_logs,
        query=LogsQuery,
        streams=TEXT,
        events={"line": LogLine, "here": dict[str, int], "bye": NoneType},
    ),
)
