"""The event stream: what was stored, then what happens, without a gap between the two."""

from collections.abc import AsyncIterator

import msgspec
from msgspec.structs import replace
from starlette.responses import Response

from midair.api.endpoint import Call, Endpoint
from midair.api.stream import ALIVE, ALIVE_S, sse, stream
from midair.engine.engine import Engine
from midair.errors import UsageRefused
from midair.view.event import EventView, event_view

BATCH = 500
EVENTS = {"event": EventView, "progress": EventView, "here": int, "bye": int}
TEXT = (
    "Server-sent events. `event`: one of the history, its number is the id; `progress`: a passing line of a build; "
    "`here`: sent first, the number after which the stream begins; `bye`: the daemon was stopped for good. "
    "A reader that comes again with `Last-Event-ID` misses nothing."
)


class EventsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which events."""

    after: int | None = None  # only those with a higher number
    follow: bool = False  # go on with what happens


async def list_events(call: Call) -> Response:
    return stream(_events(call.engine, None, *_where(call)))


async def list_project_events(call: Call) -> Response:
    call.engine.keeper(call.project)
    return stream(_events(call.engine, call.project, *_where(call)))


def _where(call: Call) -> tuple[int, bool]:
    query: EventsQuery = call.query
    last = call.request.headers.get("last-event-id")
    if last is not None:
        if not (last.isascii() and last.isdigit()):
            raise UsageRefused(f'cannot go on after event "{last}": events have numbers')
        return _number(last), query.follow
    if query.after is not None:
        return max(min(query.after, 2**62), 0), query.follow
    return (call.engine.store.events.newest() if query.follow else 0), query.follow


def _number(digits: str) -> int:
    """The number, or one that no event will ever have: no more digits than an integer is read from."""
    return min(int(digits), 2**62) if len(digits) < 1000 else 2**62


async def _events(engine: Engine, project: str | None, last: int, follow: bool) -> AsyncIterator[bytes]:
    with engine.bus.follow() as follower:
        yield sse("here", last, last)
        while True:
            for line in follower.passing():
                if project in (None, line.project):
                    yield sse("progress", replace(line, project=engine.shown(line.project)))
            while batch := engine.store.events.after(last, project=project, limit=BATCH):
                for recorded in batch:
                    view = replace(event_view(recorded), project=engine.shown(recorded.project))
                    yield sse("event", view, recorded.number)
                last = batch[-1].number
            if engine.bus.closed:
                if not engine.bus.comes_again:
                    yield sse("bye", last)
                return
            if not follow:
                return
            if not await follower.wait(ALIVE_S):
                yield ALIVE


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/events", "Events of all projects", list_events, query=EventsQuery, streams=TEXT, events=EVENTS,
    ),
    Endpoint(
        "GET", "/v1/projects/{project}/events", "Events of one project", list_project_events, query=EventsQuery,
        streams=TEXT, events=EVENTS,
    ),
)  # fmt: skip
