"""A client's connection: one request after the other is read, given to a replica, and accounted for.

    IDLE ──head──▶ BODY ──body──▶ ANSWERING ──answer──▶ IDLE        (no body: at once ANSWERING)
                     └── 101 Switching Protocols ──▶ TUNNEL         any ──refused, or Connection: close──▶ LINGER, closed

Requests that come before their turn (pipelining) wait in `buffer`, so that answers keep their order.
"""

import asyncio
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, cast

from midair.router.base import BOUNDS_S
from midair.router.embedded.answer import Answer, with_option
from midair.router.embedded.body import BadChunk, Chunks
from midair.router.embedded.counts import (
    ABORTED,
    ACCEPTED,
    CONNECTIONS,
    LATENCY,
    LATENCY_US,
    LOST,
    REFUSED,
    RETRIED,
    STATUS,
)
from midair.router.embedded.head import REQUEST_LINE, BadHead, Block, check_line, check_partial, check_target
from midair.router.embedded.plain import plain_answer
from midair.router.embedded.sockets import reset
from midair.router.embedded.stick import user_of
from midair.router.embedded.tunnel import Tunnel

if TYPE_CHECKING:
    from midair.router.embedded.listen import Listener
    from midair.router.embedded.replica import Replica
    from midair.router.embedded.service import Service
    from midair.router.embedded.upstream import Upstream

IDLE, BODY, ANSWERING, TUNNEL, LINGER, CLOSED = range(6)
_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110, 9.2.2
_REPEATS_MAX = 2
_NO_BLOCK = Block(forward=b"", host=b"")


class Downstream(asyncio.Protocol):
    """One client. What is said of a request is said of the one in hand."""

    __slots__ = ("answering", "attempts", "awaited", "began", "block", "buffer", "chunks", "closing", "count", "framed", "head", "hub",
                 "left", "listener", "method", "outgoing", "paused", "peer", "repeatable", "repeats", "replica",
                 "request_ended", "service", "since", "stalled", "state", "status", "target", "transport", "tunnel",
                 "upstream", "wait_until")  # fmt: skip
    transport: asyncio.Transport
    service: "Service"

    def __init__(self, listener: "Listener") -> None:
        self.listener = listener
        self.hub = listener.hub
        self.state = IDLE
        self.buffer = b""
        self.paused: set[str] = set()  # why nothing is read
        self.closing = False  # no further request is read
        self.since = time.monotonic()  # of the state, or of the last byte of a head or body
        self.stalled = 0.0  # since when the client reads nothing; 0: it reads
        self.peer = b""
        self.tunnel: Tunnel | None = None
        self._clear()

    def _clear(self) -> None:
        self.block = _NO_BLOCK
        self.method = self.target = b""
        self.outgoing = b""  # what was sent of the request, or is to be, while it may be repeated
        self.repeatable = False
        self.request_ended = True
        self.left = 0  # of the request's body
        self.chunks: Chunks | None = None
        self.replica: Replica | None = None
        self.upstream: Upstream | None = None
        self.awaited: Upstream | None = None  # being connected
        self.attempts = self.repeats = 0
        self.wait_until = 0.0
        self.answering = False  # part of the answer was sent
        self.framed = True  # the client can see where the answer ends
        self.status = 0
        self.head = b""
        self.count: memoryview | None = None  # where the request is accounted for

    # The connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.hub.connections.add(self)
        peer = transport.get_extra_info("peername")
        self.peer = (f"[{peer[0]}]" if ":" in peer[0] else peer[0]).encode() if peer else b"unknown"

    def connection_lost(self, exc: Exception | None) -> None:
        state = self.state
        self.state = CLOSED
        self.hub.connections.discard(self)
        if state == TUNNEL and self.tunnel is not None:
            self.tunnel.client_lost(exc)
        elif state in (BODY, ANSWERING):
            self._drop_upstream()
            self.service.forget(self)
            self._end(ABORTED)
        elif state == IDLE and self.buffer:
            self._count_unrouted(ABORTED)

    def eof_received(self) -> bool:
        return self.state == TUNNEL and self.tunnel is not None and self.tunnel.client_ended()

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

    def resume(self, why: str) -> None:
        """This is no reason any more."""
        if why in self.paused:
            self.paused.discard(why)
            if not self.paused and not self.transport.is_closing():
                self.transport.resume_reading()

    def look(self, now: float) -> None:
        """End what has taken too long."""
        limits, state, spent = self.hub.limits, self.state, now - self.since
        if self.stalled and now - self.stalled > limits.stall_s:
            self.transport.abort()
        elif state == IDLE and not self.buffer and spent > limits.idle_s:
            self.transport.close()
        elif state == IDLE and self.buffer and spent > limits.head_s:
            self._refuse(BadHead(408, "the request head took too long"))
        elif state == BODY and not self.paused and spent > limits.body_s:
            self._refuse(BadHead(408, "the request body took too long"))
        elif state == ANSWERING and not self.answering and self.upstream is not None and spent > limits.answer_s:
            self._drop_upstream()
            self.lose(504, "the replica did not answer in time")
        elif state == LINGER and spent > limits.linger_s:
            self.transport.abort()

    # The request

    def data_received(self, data: bytes) -> None:
        state = self.state
        if state == IDLE:
            self._read_head(self.buffer + data if self.buffer else data)
        elif state == BODY:
            self._read_body(data)
        elif state == TUNNEL and self.tunnel is not None:
            self.tunnel.from_client(data)
        elif state == ANSWERING:
            self.buffer += data
            if len(self.buffer) > self.hub.limits.buffer_bytes:
                self.pause("early")

    def _read_head(self, data: bytes) -> None:
        line = REQUEST_LINE.match(data)
        end = data.find(b"\r\n\r\n") + 4
        if line is None or end == 3:
            self._read_odd_head(data, end)
            return
        start = line.end()
        raw = data[start:end]
        method = line[1]
        blocks = self.hub.blocks
        try:
            if end > self.hub.limits.buffer_bytes:
                raise BadHead(431, "the request head is too large")
            block = blocks.get(raw) or blocks.parse(raw)
            line_bytes = data[:start]
            if data[start - len(line[2]) - 1] != 47:  # the target does not begin with a slash
                line_bytes = method + b" " + check_target(method, line[2], block) + b" "
        except BadHead as refusal:
            self._refuse(refusal)
            return
        self._begin(method, block, line_bytes, data[end:] if len(data) > end else b"")

    def _read_odd_head(self, data: bytes, end: int) -> None:
        """A head that is not whole, does not begin at once, or is bad."""
        stripped = data.lstrip(b"\r\n") if data[:1] in (b"\r", b"\n") else data
        try:
            if len(data) - len(stripped) > 8:
                raise BadHead(400, "too many empty lines before a request")
            if stripped is not data and stripped:
                self.buffer = b""
                self._read_head(stripped)
                return
            check_partial(stripped)
            if b"\r\n" in stripped and not REQUEST_LINE.match(stripped):
                check_line(stripped)
        except BadHead as refusal:
            self._refuse(refusal)
            return
        if not self.buffer:
            self.since = time.monotonic()
        self.buffer = data

    def _begin(self, method: bytes, block: Block, line: bytes, rest: bytes) -> None:
        self.buffer = b""
        self.began = self.since = time.monotonic()
        self.method = method
        self.block = block
        tail = b"\r\n\r\n" if block.named else b"\r\nX-Request-Id: " + self.hub.request_id() + b"\r\n\r\n"
        self.outgoing = line + block.forward + self.peer + tail
        self.repeatable = method in _REPEATABLE
        self.service = self.listener.service
        if block.length or block.chunked:
            self.state = BODY
            self.request_ended = False
            self.left = block.length
            self.chunks = Chunks(strict=True) if block.chunked else None
            if rest:
                self._read_body(rest)
                if self.state != BODY and self.state != ANSWERING:
                    return
        else:
            self.state = ANSWERING
            if rest:
                self.buffer = rest
        self.dispatch()

    def _read_body(self, data: bytes) -> None:
        self.since = time.monotonic()
        if self.chunks is not None:
            try:
                end = self.chunks.feed(data)
            except BadChunk as error:
                self._drop_upstream()
                self._refuse(BadHead(400, str(error)))
                return
            ended = end >= 0
        else:
            self.left -= len(data)
            ended = self.left <= 0
            end = len(data) + self.left if ended else -1
        if ended:
            self.state = ANSWERING
            self.request_ended = True
            if end < len(data):
                self.buffer = data[end:]
                data = data[:end]
        self._pass_body(data)

    def _pass_body(self, data: bytes) -> None:
        upstream = self.upstream
        if upstream is not None:
            upstream.transport.write(data)
            if not self.repeatable:
                return
        self.outgoing += data
        if len(self.outgoing) > self.hub.limits.buffer_bytes:
            if upstream is not None:
                self.repeatable = False
                self.outgoing = b""
            else:
                self.pause("connecting")

    # Choosing a replica

    def dispatch(self, avoid: "Replica | None" = None) -> None:
        """Give the request to a replica, or let it wait for one."""
        service = self.service
        replica = service.table.pick(avoid, None if service.stick_by is None else self._user)
        if replica is None:
            self._wait()
            return
        self.replica = replica
        replica.open += 1
        count = self.count = replica.count
        count[ACCEPTED] += 1
        replica.take(self)

    def not_taken(self) -> None:
        """The replica took no connection, so it has not seen the request: try elsewhere, or wait a moment."""
        replica = self._leave_replica()
        self.attempts += 1
        if self.attempts < len(self.service.table.replicas):
            self._count_retry(replica)
            self.dispatch(replica)
        else:
            self.attempts = 0
            self._wait()

    def not_answered(self) -> None:
        """The replica closed the connection before the first byte of an answer. It may have acted on the request."""
        self.upstream = None
        if not self.repeatable or self.repeats >= _REPEATS_MAX:
            self.lose(502, "the replica closed the connection without an answer")
            return
        self.repeats += 1
        replica = self._leave_replica()
        self._count_retry(replica)
        self.dispatch(replica)

    def give_up(self, reason: str, *, refused: bool) -> None:
        """Waited for too long, or there is nothing to wait for."""
        if refused:
            self._answer_plainly(503, reason)
            self._end(REFUSED)
            self._after(self.request_ended)
        else:
            self.lose(503, reason)

    def _wait(self) -> None:
        if self.count is None:
            self.count = self.service.unrouted
            self.count[ACCEPTED] += 1
        self.service.wait(self)

    def leave_queue(self) -> None:
        """It waits no longer: it is dispatched again."""
        if self.count is not None:
            self.count[ACCEPTED] -= 1
            self.count = None

    def _leave_replica(self) -> "Replica":
        replica = self.replica
        assert replica is not None, "a replica had the request"
        self.replica = None
        self.leave_queue()
        replica.left()
        return replica

    def _count_retry(self, replica: "Replica") -> None:
        replica.count[RETRIED] += 1

    def _user(self) -> bytes | None:
        return user_of(self.service.stick_by or "", self.outgoing)

    # The answer

    def begin_answer(self, answer: Answer, framed: bool) -> bytes:
        """The head for the client. `framed`: it can see where the answer ends."""
        self.answering = True
        self.framed = framed
        self.status = answer.status
        block = self.block
        if not (block.keep and framed and self.request_ended) or self.hub.retiring or self.listener.closed:
            self.closing = True
            self.head = with_option(answer.head, b"close")
        elif block.old:
            self.head = with_option(answer.head, b"keep-alive")
        else:
            self.head = answer.head
        return self.head

    def pass_chunks(self, data: bytes) -> None:
        """Part of a chunked body, as it came."""
        self.transport.write(data)

    def begin_tunnel(self, answer: Answer) -> None:
        """From here on bytes pass both ways."""
        upstream = self.upstream
        assert upstream is not None, "the replica has just answered"
        self.answering = self.closing = True
        self.status = answer.status
        self.state = TUNNEL
        if self.count is not None:
            self.count[CONNECTIONS] += 1
        self.tunnel = Tunnel(self, upstream, framed=self.block.upgrade == b"websocket")
        self.transport.write(answer.head)
        if self.buffer:
            early, self.buffer = self.buffer, b""
            self.tunnel.from_client(early)
        self.resume("early")

    def finish(self) -> None:
        """The answer was passed on in full."""
        count, replica = self.count, self.replica
        assert count is not None, "an answered request was accepted"
        assert replica is not None, "a replica answered"
        took = time.monotonic() - self.began
        count[STATUS + self.status // 100] += 1
        count[LATENCY + bisect_left(BOUNDS_S, took)] += 1
        count[LATENCY_US] += int(took * 1e6)
        replica.left()
        self._after(self.request_ended)

    def end_tunnel(self, outcome: int) -> None:
        """Both sides are done. The outcome is a place in the count."""
        self.state = CLOSED
        self._end(outcome)

    def lose(self, status: int, reason: str) -> None:
        """There is no answer for the client."""
        if self.answering:
            self.cut_short()
            return
        self._answer_plainly(status, reason)
        self._end(LOST)
        self._after(self.request_ended)

    def cut_short(self) -> None:
        """Half an answer was sent and no more will come: the client must see that it is not whole."""
        framed = self.framed
        self._end(LOST)
        self.state = CLOSED
        if framed:
            self.transport.close()
        else:
            reset(self.transport.get_extra_info("socket"))
            self.transport.abort()

    # The end of a request

    def _end(self, outcome: int) -> None:
        if self.count is not None:
            self.count[outcome] += 1
            self.count = None
        if self.replica is not None:
            replica, self.replica = self.replica, None
            replica.left()

    def _after(self, whole: bool) -> None:
        """Ready for the next request, or the end of the connection."""
        pending, closing = self.buffer, self.closing
        self._clear()
        self.since = time.monotonic()
        if closing or not whole:
            self._close(gently=bool(pending) or not whole)
            return
        self.state = IDLE
        if self.paused:
            self.resume("early")
            self.resume("upstream")
            self.resume("connecting")
        if pending:
            self.hub.loop.call_soon(self._next)
        elif self.hub.retiring and self.hub.hand_over(self):
            self.state = CLOSED

    def _next(self) -> None:
        if self.state == IDLE and self.buffer:
            data, self.buffer = self.buffer, b""
            self._read_head(data)

    def _refuse(self, refusal: BadHead) -> None:
        """Refused by policy. What the client has sent may be anything, so nothing more is read."""
        self._drop_upstream()
        if self.count is None:
            self._count_unrouted(REFUSED)
        if self.state != IDLE:
            self.service.forget(self)
        answering = self.answering
        self._end(REFUSED)
        self.closing = True
        if not answering:
            self._answer_plainly(refusal.status, refusal.reason)
        self._clear()
        self._close(gently=True)

    def _count_unrouted(self, outcome: int) -> None:
        unrouted = self.listener.service.unrouted
        unrouted[ACCEPTED] += 1
        unrouted[outcome] += 1

    def _answer_plainly(self, status: int, reason: str) -> None:
        if (
            not (self.block.keep and not self.block.old and self.request_ended)
            or self.listener.closed
            or self.hub.retiring
        ):
            self.closing = True
        body = self.method != b"HEAD"
        self.transport.write(plain_answer(status, reason, close=self.closing, body=body))

    def _close(self, *, gently: bool) -> None:
        """Gently: without the reset that unread bytes cause, which could swallow the answer."""
        self.buffer = b""
        if not gently or self.transport.is_closing():
            self.state = CLOSED
            self.transport.close()
            return
        self.state = LINGER
        self.since = time.monotonic()
        for why in tuple(self.paused):
            self.resume(why)
        self.transport.write_eof()

    def _drop_upstream(self) -> None:
        self.awaited = None
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
