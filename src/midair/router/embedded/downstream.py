"""A client's connection: each request is given to a replica, repeated where that is safe, and accounted for once."""

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from midair.model.counters import BOUNDS_S
from midair.router.embedded.answer import Answer, with_option
from midair.router.embedded.connection import ANSWERING, BODY, CLOSED, IDLE, TUNNEL
from midair.router.embedded.head import BadHead
from midair.router.embedded.plain import plain_answer
from midair.router.embedded.reading import Reader
from midair.router.embedded.record import (
    ABORTED,
    ACCEPTED,
    CONNECTIONS,
    END,
    END_US,
    HEAD,
    HEAD_US,
    LOST,
    REFUSED,
    REPEATED,
    STATUS,
)
from midair.router.embedded.sockets import reset
from midair.router.embedded.stick import user_of
from midair.router.embedded.tunnel import Tunnel

if TYPE_CHECKING:
    from midair.router.embedded.listen import Listener
    from midair.router.embedded.replica import Replica
    from midair.router.embedded.upstream import Upstream

_REPEATS_MAX = 2
_CLIENT_HEADERS = ("header:forwarded", "header:x-forwarded-for")  # users are clients, whatever proxies they came by


class Downstream(Reader):
    """One client. What is said of a request is said of the one in hand."""

    __slots__ = ("answering", "attempts", "awaited", "closing", "count", "framed", "head", "held_s", "queued_at",
                 "repeats", "replica", "status", "wait_until", "waits_since")  # fmt: skip

    def __init__(self, listener: "Listener") -> None:
        super().__init__(listener)
        self.closing = False  # no further request is read
        self._clear()

    def _clear(self) -> None:
        self.clear_request()
        self.replica: Replica | None = None
        self.upstream: Upstream | None = None
        self.awaited: Upstream | None = None  # being connected
        self.attempts = self.repeats = 0
        self.waits_since = self.wait_until = 0.0
        self.queued_at = self.held_s = 0.0  # when it began to wait, 0.0: it does not; how long it has waited before
        self.answering = False  # part of the answer was sent
        self.framed = True  # the client can see where the answer ends
        self.status = 0
        self.head = b""
        self.count: memoryview | None = None  # where the request is accounted for

    def connection_lost(self, exc: Exception | None) -> None:
        state = self.state
        self.state = CLOSED
        self.hub.timed.discard(self)
        if state == TUNNEL and self.tunnel is not None:
            self.tunnel.client_lost(exc)
        elif state in (BODY, ANSWERING):
            self._drop_upstream()
            self.service.forget(self)
            self._end(ABORTED)
        elif state == IDLE and self.buffer.strip():
            self._count_unrouted(ABORTED)

    def eof_received(self) -> bool:
        return self.state == TUNNEL and self.tunnel is not None and self.tunnel.client_ended()

    def look(self, now: float) -> None:
        """End what has taken too long."""
        limits, state, spent = self.hub.limits, self.state, now - self.since
        if state == IDLE and self.buffer and spent > limits.head_s:
            self.refuse(BadHead(408, "the request head took too long"))
        elif state == BODY and not self.paused and spent > limits.body_s and self.upstream is not None:
            self.refuse(BadHead(408, "the request body took too long"))
        elif spent > limits.answer_s and not self.answering and self.upstream is not None:
            self._drop_upstream()
            self.lose(504, "the replica did not answer in time")
        else:
            super().look(now)

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

    @property
    def is_safe_to_send(self) -> bool:
        """True when it is sent again if its connection turns out to be closed: all of it is here and is kept."""
        return self.repeatable and self.request_ended and not self.repeats

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
        self.queued_at = time.monotonic()
        self.service.wait(self)

    def leave_queue(self) -> None:
        """It waits no longer: it is dispatched again, and its next replica has as much time as any."""
        now = self.since = time.monotonic()
        if self.queued_at:
            self.held_s += now - self.queued_at
            self.queued_at = 0.0
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
        replica.count[REPEATED] += 1

    def _user(self) -> bytes | None:
        stick_by = self.service.stick_by or ""
        if self.service.trust is not None and stick_by.lower() in _CLIENT_HEADERS:
            return self.client
        return user_of(stick_by, self.outgoing)

    # The answer

    def begin_answer(self, answer: Answer, framed: bool) -> bytes:
        """The head for the client. `framed`: it can see where the answer ends."""
        self.answering = True
        self.framed = framed
        self.status = answer.status
        if self.count is not None:
            took = time.monotonic() - self.began - self.held_s
            self.count[HEAD + bisect_left(BOUNDS_S, took)] += 1
            self.count[HEAD_US] += int(took * 1e6)
        block = self.block
        if not (block.keep and framed and self.request_ended) or self.is_last:
            self.closing = True
            self.head = with_option(answer.head, b"close")
        elif block.old:
            self.head = with_option(answer.head, b"keep-alive")
        else:
            self.head = answer.head
        return self.head

    def begin_tunnel(self, answer: Answer, *, framed: bool) -> None:
        """From here on bytes pass both ways, in WebSocket frames if `framed`."""
        upstream = self.upstream
        assert upstream is not None, "the replica has just answered"
        self.answering = self.closing = True
        self.status = answer.status
        self.state = TUNNEL
        if self.count is not None:
            self.count[CONNECTIONS] += 1
        self.tunnel = Tunnel(self, upstream, framed=framed)
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
        count[STATUS + min(self.status // 100, 5)] += 1
        count[END + bisect_left(BOUNDS_S, took)] += 1
        count[END_US] += int(took * 1e6)
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
            self.end(gently=bool(pending) or not whole)
            return
        self.state = IDLE
        self.resume("early", "upstream", "connecting")
        if pending:
            self.hub.loop.call_soon(self._next)
        elif self.hub.retiring and self.hub.hand_over(self):
            self.state = CLOSED

    def _next(self) -> None:
        if self.state == IDLE and self.buffer:
            data, self.buffer = self.buffer, b""
            self._read_head(data)

    def refuse(self, refusal: BadHead) -> None:
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
        self.end(gently=True)

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

    def _drop_upstream(self) -> None:
        self.awaited = None
        if self.upstream is not None:
            self.upstream.abort()
            self.upstream = None
