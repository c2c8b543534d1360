"""One thing that can be asked over HTTP: the table row that makes both the route and its description."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Literal, Protocol, TypeVar, cast

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from midair.api.problem import TooLarge
from midair.engine.engine import Engine
from midair.errors import Conflict, UsageRefused

T = TypeVar("T")
BODY_LIMIT = 64 * 1024 * 1024  # bytes


class Control(Protocol):
    """What the daemon lets its API do with itself."""

    def stop(self) -> None:
        """End, after this answer."""

    async def restart(self, python: str) -> None:
        """Make a successor, run by this interpreter if one is named; returns when it can take over.

        Raises DaemonTrouble, or UsageRefused for an interpreter that is not to be run.
        """

    @property
    def settings(self) -> dict[str, str]:
        """The settings that were ever set, by key."""

    async def change_settings(self, wanted: dict[str, str]) -> None:
        """Put these in force, and keep them. Raises UsageRefused or DaemonTrouble; then nothing changes."""


class Call:
    """One request, as its handler sees it."""

    def __init__(self, request: Request, engine: Engine, control: Control, body: Any, query: Any) -> None:
        self.request, self.engine, self.control, self.body, self.query = request, engine, control, body, query

    @property
    def project(self) -> str:
        """The key of the project in the path, which may have another name since."""
        return self.engine.key(self.path("project"))

    def path(self, name: str) -> str:
        """A part of the path."""
        return cast(str, self.request.path_params[name])

    @property
    def wants_events(self) -> bool:
        """True when the caller would rather have progress than wait in silence."""
        return "text/event-stream" in self.request.headers.get("accept", "")

    async def while_there(self, work: Coroutine[None, None, T]) -> T:
        """What the work comes to. A caller who hangs up before wants it no more: it is cancelled."""
        task, gone = asyncio.create_task(work), asyncio.create_task(self._gone())
        try:
            await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if not task.done():
                task.cancel()
            await asyncio.gather(task, gone, return_exceptions=True)
        if task.cancelled():
            raise Conflict("cannot go on: the caller hung up")  # which nobody reads
        return task.result()

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


Handler = Callable[[Call], Awaitable[Any]]  # a value that is answered as JSON, or a Response


class Endpoint(msgspec.Struct, frozen=True):
    """Method and path, what goes in, what comes out."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    handler: Handler
    answer: Any = None  # type of the JSON answer; None: a stream
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    status: int = 200
    streams: str = ""  # what the event stream holds, when there is one
    events: dict[str, Any] = {}  # the type of the data of each of its events, by name
    two_way: bool = False  # the body is read by the handler, while it answers; its first frame is a `body`
    text: str = ""  # more for the description

    @property
    def name(self) -> str:
        """Stable name of the operation."""
        return self.handler.__name__


def route(endpoint: Endpoint, engine: Engine, control: Control) -> Route:
    """The route that answers it."""
    body_decoder = msgspec.json.Decoder(endpoint.body) if endpoint.body is not None else None

    async def answer(request: Request) -> Response:
        query = _query(request, endpoint.query)
        if endpoint.two_way:
            return cast(Response, await endpoint.handler(Call(request, engine, control, None, query)))
        given = await _read(request)  # also when it is not wanted: the caller is still sending it
        body = body_decoder.decode(given) if body_decoder is not None else None
        value = await endpoint.handler(Call(request, engine, control, body, query))
        if isinstance(value, Response):
            return value
        return Response(msgspec.json.encode(value), endpoint.status, media_type="application/json")

    return Route(endpoint.path, answer, methods=[endpoint.method], name=endpoint.name)


def _query(request: Request, wanted: type[msgspec.Struct] | None) -> msgspec.Struct | None:
    given = dict(request.query_params)
    if wanted is None:
        if given:
            raise UsageRefused(f'cannot use the query parameter "{next(iter(given))}": there is none here')
        return None
    return msgspec.convert(given, wanted, strict=False)


async def _read(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        parts.append(part)
        size += len(part)
        if size > BODY_LIMIT:
            raise TooLarge(f"cannot read the request: it has more than {BODY_LIMIT // 2**20} MiB")
    return b"".join(parts)
