"""Server-sent events: how they are written, and that a silent stream still shows that it lives."""

from collections.abc import AsyncIterator

import msgspec
from starlette.responses import StreamingResponse

ALIVE = b": alive\n\n"
ALIVE_S = 15.0


def sse(name: str, value: object, number: int | None = None) -> bytes:
    """One event. `number` is what a reader sends back as Last-Event-ID."""
    head = f"id: {number}\nevent: {name}\n" if number else f"event: {name}\n"
    return head.encode() + b"data: " + msgspec.json.encode(value) + b"\n\n"


def stream(parts: AsyncIterator[bytes], status: int = 200) -> StreamingResponse:
    """The answer that sends these."""
    return StreamingResponse(
        parts, status_code=status, media_type="text/event-stream", headers={"Cache-Control": "no-cache"}
    )
