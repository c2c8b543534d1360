"""What replicas printed, read from their log files."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import NoneType

import msgspec
from starlette.responses import Response

from midair.api.endpoint import Call, Endpoint
from midair.api.stream import ALIVE, ALIVE_S, sse, stream
from midair.api.tail import Tail
from midair.engine.engine import Engine
from midair.engine.keeper import Keeper, did_you_mean
from midair.errors import NotFound
from midair.view.log import LogLine

LOOK_S = 0.2  # between two looks at the files while somebody follows them
TEXT = (
    "Server-sent events. `line`: a LogLine. While following, also `here`: where each log has been read to, by replica; "
    "`bye`: the daemon was stopped for good, or what was followed was removed. A reader that comes again with the last "
    "`at` of each replica in `after` misses nothing."
)


class LogsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines."""

    service: str | None = None
    follow: bool = False
    tail: int | None = None  # of each replica
    after: str = ""  # where a reader left off: a JSON object of the last `at` by replica


async def list_logs(call: Call) -> Response:
    keeper = call.engine.keeper(call.project)
    await keeper.look()  # until then a daemon that has just begun knows no logs
    log_files(keeper, call.query.service)
    return stream(_lines(call.engine, call.project, call.query, _Reader(call.query)))


def log_files(keeper: Keeper, service: str | None) -> list[tuple[str, str]]:
    """(replica, path) of every log of a project, or of one service of it."""
    known = keeper.state.base.project.services if keeper.state.base else {}
    tried = keeper.state.change.after.project.services if keeper.state.change else {}  # also when it went back
    names = list(keeper.state.rollouts.keys() | known.keys() | tried.keys())
    if service is not None and service not in names:
        raise NotFound(
            f'cannot show logs of "{service}": project "{keeper.name}" has no such service now',
            hint=did_you_mean(service, names),
        )
    wanted = sorted(names) if service is None else [service]
    return [file for name in wanted for runtime in keeper.world.runtimes.values() for file in runtime.log_files(name)]


class _Reader:
    """The logs of one caller, each read on from where it was."""

    def __init__(self, query: LogsQuery) -> None:
        self._left_off = _left_off(query.after)
        # One that came while following, or while its follower was away, is shown from its beginning.
        self._tail = None if query.after or query.tail is None else max(query.tail, 0)
        self._tails: dict[tuple[str, str], Tail] = {}

    def read(self, files: list[tuple[str, str]], *, last: bool) -> Iterator[LogLine]:
        """What is new in them. `last`: also a line that has no end yet."""
        for file in files:
            if file not in self._tails:
                self._tails[file] = self._open(*file)
            tail = self._tails[file]
            while lines := tail.read():
                yield from (LogLine(file[0], _said(file[1], text), at) for text, at in lines)
            if last:
                yield from (LogLine(file[0], _said(file[1], text), at) for text, at in tail.finish())
        self._tail = None

    def places(self) -> dict[str, int]:
        """Where each log has been read to, by replica."""
        return {replica: tail.at for (replica, _), tail in self._tails.items()}

    def _open(self, replica: str, path: str) -> Tail:
        if self._tail is not None:
            return Tail.of_last(Path(path), self._tail)
        return Tail(Path(path), self._left_off.get(replica, 0))


class _Entry(msgspec.Struct):
    """A line as a Docker engine keeps it."""

    log: str


def _said(path: str, line: str) -> str:
    """What a replica printed, out of one line of its log."""
    if not path.endswith("-json.log"):
        return line
    try:
        return msgspec.json.decode(line, type=_Entry).log.removesuffix("\n")
    except msgspec.DecodeError:
        return line


def _left_off(text: str) -> dict[str, int]:
    known = msgspec.json.decode(text, type=dict[str, int]) if text else {}
    return {replica: min(max(at, 0), 2**62) for replica, at in known.items()}


async def _lines(engine: Engine, project: str, query: LogsQuery, reader: _Reader) -> AsyncIterator[bytes]:
    told, silent_s = False, 0.0
    while True:
        try:
            files = log_files(engine.keeper(project), query.service)
        except NotFound:  # it was removed while it was followed
            yield sse("bye", None)
            return
        for line in reader.read(files, last=not query.follow):
            silent_s = 0.0
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
