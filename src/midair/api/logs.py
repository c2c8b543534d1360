"""What replicas printed, read from their log files."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from starlette.responses import Response

from midair.api.endpoint import Call, Endpoint
from midair.api.stream import ALIVE, ALIVE_S, sse, stream
from midair.api.tail import Tail
from midair.engine.engine import Engine
from midair.engine.keeper import Keeper
from midair.errors import NotFound
from midair.view.log import LogLine

LOOK_S = 0.2  # between two looks at the files while somebody follows them


class LogsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which lines."""

    service: str | None = None
    follow: bool = False
    tail: int | None = None  # of each replica


async def list_logs(call: Call) -> Response:
    log_files(call.engine.keeper(call.project), call.query.service)
    return stream(_lines(call.engine, call.project, call.query))


def log_files(keeper: Keeper, service: str | None) -> list[tuple[str, str]]:
    """(replica, path) of every log of a project, or of one service of it."""
    known = keeper.state.base.project.services if keeper.state.base else {}
    tried = keeper.state.change.after.project.services if keeper.state.change else {}  # also when it went back
    names = list(keeper.state.rollouts.keys() | known.keys() | tried.keys())
    if service is not None and service not in names:
        raise NotFound(f'cannot show logs of "{service}": project "{keeper.project}" has no such service now')
    wanted = sorted(names) if service is None else [service]
    return [file for name in wanted for runtime in keeper.world.runtimes.values() for file in runtime.log_files(name)]


async def _lines(engine: Engine, project: str, query: LogsQuery) -> AsyncIterator[bytes]:
    tails: dict[tuple[str, str], Tail] = {}
    wanted = None if query.tail is None else max(query.tail, 0)
    first, silent_s = True, 0.0
    while True:
        for replica, path in log_files(engine.keeper(project), query.service):
            known = tails.get((replica, path))
            if known is None:  # a replica that came while following is shown from its beginning
                known = tails[replica, path] = Tail(Path(path), wanted if first else None)
            while lines := known.read():
                silent_s = 0.0
                for line in lines:
                    yield sse("line", LogLine(replica, line))
            if not query.follow:
                for line in known.finish():
                    yield sse("line", LogLine(replica, line))
        if not query.follow or engine.bus.closed:
            return
        first = False
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
        streams="Server-sent events named `line`.",
    ),
)
