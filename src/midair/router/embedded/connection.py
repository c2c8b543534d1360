"""What a client's connection is apart from the requests on it: reading paused and resumed, patience, and its end."""

import asyncio
import time
from typing import TYPE_CHECKING, Protocol, cast

from midair.router.embedded.sockets import is_gone

if TYPE_CHECKING:
    from midair.router.embedded.hub import Hub
    from midair.router.embedded.listen import Listener
    from midair.router.embedded.service import Service
    from midair.router.embedded.upstream import Upstream

IDLE, BODY, ANSWERING, TUNNEL, LINGER, CLOSED = range(6)


class Client(Protocol):
    """Somebody who is sent something."""

    hub: "Hub"
    transport: asyncio.Transport
    stalled: float
    unsent: int


def is_stuck(client: Client, now: float, *, last: bool) -> bool:
    """True when it has taken nothing for too long of what waits for it. `last`: nothing more will be sent."""
    if not client.stalled and not last:
        return False
    unsent = client.transport.get_write_buffer_size()
    if not client.stalled or unsent < client.unsent:
        client.stalled = now
    client.unsent = unsent
    return now - client.stalled > client.hub.limits.stall_s


class Connection(asyncio.Protocol):
    """A client, with nothing known of HTTP."""

    __slots__ = ("buffer", "hub", "listener", "paused", "peer", "service", "since", "stalled", "state", "transport",
                 "unsent", "upstream")  # fmt: skip
    transport: asyncio.Transport
    service: "Service"
    upstream: "Upstream | None"

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self.hub = listener.hub
        self.state = IDLE
        self.buffer = b""  # received and not yet looked at
        self.paused: set[str] = set()  # why nothing is read
        self.since = time.monotonic()  # of the state, or of the last byte of a head or body
        self.stalled = 0.0  # since when the client reads nothing; 0: it reads
        self.unsent = 0  # bytes, when that was last looked at
        self.peer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.hub.timed.add(self)
        peer = transport.get_extra_info("peername")
        self.peer = peer[0].encode() if peer else b"unknown"

    @property
    def is_last(self) -> bool:
        """True when the request in hand is the last one on this connection."""
        return self.listener.closed

    def pause_writing(self) -> None:
        self.stalled = time.monotonic()
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self.stalled = 0.0
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    def pause(self, why: str) -> None:
        """Read nothing more for now."""
        if not self.paused and not self.transport.is_closing():
            self.transport.pause_reading()
        self.paused.add(why)

    def resume(self, *reasons: str) -> None:
        """These are no reasons any more."""
        if self.paused:
            self.paused.difference_update(reasons)
            if not self.paused and not self.transport.is_closing():
                self.transport.resume_reading()

    def look(self, now: float) -> None:
        """End what has taken too long."""
        limits, spent = self.hub.limits, now - self.since
        if is_stuck(self, now, last=self.state >= LINGER) or (
            self.paused and is_gone(self.transport.get_extra_info("socket"))
        ):
            self.transport.abort()
        elif self.state == IDLE and not self.buffer and spent > limits.idle_s:
            self.state = CLOSED
            self.transport.close()
        elif self.state == LINGER and self.unsent:
            self.since = now
        elif self.state == LINGER and spent > limits.linger_s:
            self.transport.abort()

    def end(self, *, gently: bool) -> None:
        """Close it. Gently: without the reset that unread bytes cause, which could swallow the last answer."""
        self.buffer = b""
        if not gently or self.transport.is_closing():
            self.state = CLOSED
            self.transport.close()
            return
        self.state = LINGER
        self.since = time.monotonic()
        self.resume(*self.paused)
        self.transport.write_eof()
