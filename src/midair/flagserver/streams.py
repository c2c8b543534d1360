"""Change told as it happens: lines for midair's own clients, server-sent events for OFREP's; and counts coming back."""

import json
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from midair.flagserver.access import Access
from midair.flagserver.hub import BEAT_S, Hub, Served, UnknownSet

SLICE = 65536
LARGEST_BODY = 4 * 1024 * 1024
# Proxies in between should hand each piece on at once.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


class Streams:
    """What midair's clients ask for, and OFREP's event stream."""

    def __init__(self, hub: Hub, access: Access, beat: float = BEAT_S) -> None:
        self.hub = hub
        self.access = access
        self.beat = beat

    async def lines(self, request: Request) -> Response:
        try:
            served = self.access.find(self.hub, request.query_params.get("set", ""))
        except UnknownSet as unknown:
            return Response(self.access.explained(unknown, request) + "\n", 404)
        refusal = self.access.refusal(request, served.name)
        if refusal is not None:
            return refusal
        known = request.query_params.get("known", "")
        return StreamingResponse(self.told(served.name, known), media_type="application/x-ndjson", headers=HEADERS)

    async def told(self, name: str, known: str) -> AsyncIterator[bytes]:
        before: Served | None = None
        async for served in self.hub.changes(name, self.beat):
            if served is None:
                yield b"\n"
                continue
            if before is not None:
                text = served.difference(before)
            else:
                text = served.difference(served) if served.version == known else served.snapshot
            before = served
            for start in range(0, len(text), SLICE):
                yield text[start : start + SLICE]

    async def events(self, request: Request) -> Response:
        try:
            served = self.access.find(self.hub, request.query_params.get("selector", ""))
        except UnknownSet:
            return Response(status_code=404)
        refusal = self.access.stream_refusal(request, served.name)
        if refusal is not None:
            return refusal
        known = request.headers.get("last-event-id") or request.query_params.get("since") or served.version
        return StreamingResponse(self.refetches(served.name, known), media_type="text/event-stream", headers=HEADERS)

    async def refetches(self, name: str, known: str) -> AsyncIterator[bytes]:
        """One event per change. Those who missed some need only the last: it says no more than "fetch again"."""
        yield b": follows\n\n"
        async for served in self.hub.changes(name, self.beat):
            if served is None:
                yield b": alive\n\n"
            elif served.version != known:
                known = served.version
                event = {"type": "refetchEvaluation", "etag": known, "lastModified": int(served.since)}
                yield f"id: {known}\nevent: message\ndata: {json.dumps(event)}\n\n".encode()

    async def counts(self, request: Request) -> Response:
        """POST: a batch from a client. GET: what was counted so far."""
        try:
            if request.method == "GET":
                served = self.access.find(self.hub, request.query_params.get("set", ""))
                return self.access.refusal(request, served.name) or JSONResponse(self.hub.report(served.name))
            # A batch names its set itself, so those who may read no set are turned away before it is read.
            if (refusal := self.access.refusal_of_all(request)) is not None:
                return refusal
            body = await limited_body(request)
            if body is None:
                return Response(status_code=413)
            batch = json.loads(body)
            served = self.access.find(self.hub, batch["set"])
            exposures, misses = rows(batch.get("exposures", [])), rows(batch.get("misses", []))
        except UnknownSet as unknown:
            return Response(self.access.explained(unknown, request) + "\n", 404)
        except (ValueError, TypeError, KeyError, AttributeError):
            return Response("should be a batch of counts\n", 400)
        refusal = self.access.refusal(request, served.name)
        if refusal is not None:
            return refusal
        # Only what exists is counted: a client cannot fill the memory with inventions.
        exposures = [row for row in exposures if row[1] in served.flags.flags.get(row[0], {}).get("variants", ())]
        misses = [row for row in misses if row[0] in served.flags.flags or len(self.hub.misses) < 10_000]
        self.hub.count(served.name, exposures, misses)
        return Response(status_code=204)


async def limited_body(request: Request) -> bytes | None:
    """The body; None when it is larger than LARGEST_BODY, of which no more is read."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def rows(data: Any) -> list[tuple[str, str, int]]:
    found = [(key, name, number) for key, name, number in data]
    if not all(isinstance(k, str) and isinstance(n, str) and isinstance(c, int) and c > 0 for k, n, c in found):
        raise ValueError("should be texts and numbers")
    return found
