"""Connections of services that do not speak HTTP: bytes both ways, each connection counted like one request."""

import asyncio
import time
from typing import TYPE_CHECKING, cast

from midair.router.embedded.connection import is_stuck
from midair.router.embedded.ending import Kind, is_idle
from midair.router.embedded.record import (
    ABORTED,
    ACCEPTED,
    ANSWER_BYTES,
    CONNECTIONS,
    LOST,
    REFUSED,
    REPEATED,
    REQUEST_BYTES,
    STATUS,
)

if TYPE_CHECKING:
    from midair.router.embedded.listen import Listener
    from midair.router.embedded.replica import Replica

_ANSWERED = STATUS  # without a status


class TcpDownstream(asyncio.Protocol):
    """A client's connection. Little is read from it until a replica has taken it."""

    transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self.hub = listener.hub
        self.service = listener.service
        self.target = listener.port.target
        self.waits_since = self.wait_until = 0.0
        self.upstream: TcpUpstream | None = None
        self.stalled = 0.0
        self.unsent = 0
        self._replica: Replica | None = None
        self._count: memoryview | None = None
        self._attempts = 0
        self._early = b""  # came before a replica was found
        self._closed = False
        self._half = False  # one direction has ended
        self._client_ended = False  # the client's, and first
        self._silent = True  # nothing has passed in either direction
        self._answered_at = 0.0  # when the last bytes went to the client; 0: it has sent some since
        self.asked_at = 0.0  # when it sent the first of those

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.hub.timed.add(self)
        self.dispatch()

    def dispatch(self, avoid: "Replica | None" = None) -> None:
        """Find a replica for it, or let it wait for one."""
        replica = self.service.table.pick(avoid)
        if replica is None:
            self._wait()
            return
        self._replica = replica
        replica.open += 1
        self._count = replica.count
        self._count[ACCEPTED] += 1
        self.hub.run(self._connect(replica))

    def leave_queue(self) -> None:
        """It waits no longer: it is dispatched again."""
        if self._count is not None:
            self._count[ACCEPTED] -= 1
            self._count = None

    def give_up(self, reason: str, *, refused: bool) -> None:
        """No replica took it in time."""
        self._end(REFUSED if refused else LOST)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self.upstream is not None:
            if self._answered_at:
                self.asked_at = time.monotonic()
            self._silent, self._answered_at = False, 0.0
            self.upstream.send(data)
            return
        self._early += data
        if len(self._early) > self.hub.limits.buffer_bytes:
            self.transport.pause_reading()

    def eof_received(self) -> bool:
        if self._half:
            return False
        self._half = self._client_ended = True
        if self.upstream is not None:
            self.upstream.transport.write_eof()
        return True

    def answer(self, data: bytes) -> None:
        """Pass on what the replica sends."""
        self._silent, self._answered_at, self.asked_at = False, time.monotonic(), 0.0
        self.transport.write(data)

    def end_idle(self, idle_s: float) -> None:
        """Close it if nobody waits for an answer. If nobody has ever said anything, another replica may as well."""
        upstream = self.upstream
        if upstream is None or self._half or self.stalled:
            return
        if not is_idle(self._answered_at, idle_s, self.transport, upstream.transport):
            return
        self.upstream = None
        upstream.transport.close()
        if self._silent and (self.service.action.hold or self.service.table.replicas):
            self._leave()
            self.waits_since = self.wait_until = 0.0
            self.dispatch()
            return
        self._end(_ANSWERED)
        self.transport.close()

    def upstream_ended(self) -> bool:
        """The replica sends no more. True: it may still be sent to."""
        if self._half or self._closed:
            return False
        self._half = True
        self.transport.write_eof()
        return True

    def upstream_lost(self, exc: Exception | None) -> None:
        """The replica's side is closed. Some (RabbitMQ) do so by a reset when the client has ended its own: no loss."""
        is_answered = exc is None or (self._client_ended and self._answered_at > 0)
        self._end(_ANSWERED if is_answered else ABORTED if self._client_ended else LOST)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.hub.timed.discard(self)
        self.service.forget(self)
        upstream, self.upstream = self.upstream, None
        if upstream is not None and not upstream.transport.is_closing():
            upstream.transport.close()
        self._end(_ANSWERED if upstream is not None and exc is None else ABORTED)

    def pause_writing(self) -> None:
        self.stalled = time.monotonic()
        if self.upstream is not None:
            self.upstream.transport.pause_reading()

    def resume_writing(self) -> None:
        self.stalled = 0.0
        if self.upstream is not None:
            self.upstream.transport.resume_reading()

    def look(self, now: float) -> None:
        """A client that reads nothing for too long is let go."""
        if is_stuck(self, now, last=self.transport.is_closing()):
            self.transport.abort()

    def _wait(self) -> None:
        self._count = self.service.unrouted
        self._count[ACCEPTED] += 1
        self.service.wait(self)

    async def _connect(self, replica: "Replica") -> None:
        upstream = TcpUpstream(self, replica)
        connected = await replica.connect(upstream, replica.port or self.target)
        if self._closed:
            if connected:
                upstream.transport.abort()
        elif connected:
            self._begin(upstream, replica)
        else:
            self._not_taken(replica)

    def _begin(self, upstream: "TcpUpstream", replica: "Replica") -> None:
        self.upstream = upstream
        replica.count[CONNECTIONS] += 1
        self._silent = self._silent and not self._early
        now = time.monotonic()
        self._answered_at, self.asked_at = (0.0, now) if self._early else (now, 0.0)
        upstream.send(self._early)
        if self._half:
            upstream.transport.write_eof()
        elif len(self._early) > self.hub.limits.buffer_bytes:
            self.transport.resume_reading()
        self._early = b""

    def _leave(self) -> None:
        """It is with no replica, and counted nowhere."""
        self.leave_queue()
        if self._replica is not None:
            replica, self._replica = self._replica, None
            replica.left()

    def _not_taken(self, replica: "Replica") -> None:
        self._leave()
        self._attempts += 1
        if self._attempts < len(self.service.table.replicas):
            replica.count[REPEATED] += 1
            self.dispatch(replica)
        else:
            self._attempts = 0
            self._wait()

    def _end(self, outcome: int) -> None:
        self._closed = True
        if self._count is not None:
            self._count[outcome] += 1
            self._count = None
        if self._replica is not None:
            replica, self._replica = self._replica, None
            replica.left()


class TcpUpstream(asyncio.Protocol):
    """The replica's end of a connection."""

    transport: asyncio.Transport

    def __init__(self, client: TcpDownstream, replica: "Replica") -> None:
        self._client = client
        self._replica = replica

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._replica.connections.add(self)

    def send(self, data: bytes) -> None:
        """Pass on what the client sends."""
        self._replica.count[REQUEST_BYTES] += len(data)
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._replica.count[ANSWER_BYTES] += len(data)
        self._client.answer(data)

    def eof_received(self) -> bool:
        return self._client.upstream is self and self._client.upstream_ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._replica.connections.discard(self)
        if self._client.upstream is self:
            self._client.upstream_lost(exc)

    def pause_writing(self) -> None:
        if not self._client.transport.is_closing():
            self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        if not self._client.transport.is_closing():
            self._client.transport.resume_reading()

    @property
    def is_long_lived(self) -> bool:
        """How long it lasts is not known of any protocol but HTTP."""
        return False

    @property
    def kind(self) -> Kind:
        """Bytes of a protocol that is not known."""
        return "bytes"

    @property
    def asked_at(self) -> float:
        """Since when the client waits for an answer."""
        return self._client.asked_at

    def end_politely(self, reply_s: float) -> None:
        """Nothing polite can be said in a protocol that is not known: the replica says it when it stops."""

    def end_idle(self, idle_s: float) -> None:
        """Close it if nobody waits for an answer."""
        if self._client.upstream is self:
            self._client.end_idle(idle_s)
