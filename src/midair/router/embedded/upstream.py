"""A connection to a replica: sends it one request at a time and passes each answer on as it arrives."""

import asyncio
import contextlib
import os
import time
from typing import TYPE_CHECKING, cast

from midair.router.embedded.answer import Answer, BadAnswer, find_head, without_chunks
from midair.router.embedded.body import BadChunk, Chunks
from midair.router.embedded.ending import Kind
from midair.router.embedded.head import HEAD_MAX_BYTES
from midair.router.embedded.record import ANSWER_BYTES, REQUEST_BYTES
from midair.router.embedded.sockets import is_quiet

if TYPE_CHECKING:
    from midair.router.embedded.downstream import Downstream
    from midair.router.embedded.replica import Replica

HEAD, LENGTH, CHUNKED, TO_END, TUNNEL, IDLE, CLOSED = range(7)  # what is expected next
_NO_BODY = frozenset((204, 304))


class Upstream(asyncio.Protocol):
    """Belongs to a replica's pool while idle, and to one request otherwise."""

    __slots__ = ("bodyless", "buffer", "chunks", "client", "ending", "idle_since", "left", "port", "replica",
                 "reusable", "spoke", "state", "stream", "transport")  # fmt: skip
    transport: asyncio.Transport

    def __init__(self, replica: "Replica", port: int) -> None:
        self.replica = replica
        self.port = port
        self.client: Downstream | None = None
        self.state = IDLE
        self.buffer = b""
        self.left = 0
        self.chunks: Chunks | None = None
        self.reusable = True
        self.spoke = False  # part of an answer has come
        self.stream = False  # the answer is an event stream
        self.ending = False  # to be ended where that can be done cleanly
        self.bodyless = False  # the last answer may have none; a replica that sends one all the same sends it later
        self.idle_since = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.replica.connections.add(self)

    def begin(self, client: "Downstream") -> None:
        """Send a request, as much of it as there is."""
        self.client = client
        client.upstream = self
        self.state = HEAD
        self.spoke = self.stream = self.ending = self.bodyless = False
        if client.stalled:
            self.transport.pause_reading()
        if client.paused:
            client.resume("connecting", "upstream")  # the latter from a connection before this one
        self.send(client.outgoing)

    def send(self, data: bytes) -> None:
        """Send more of the request, or of what follows it on an upgraded connection."""
        self.replica.count[REQUEST_BYTES] += len(data)
        self.transport.write(data)

    def is_open(self, *, careful: bool) -> bool:
        """False when the replica has closed it. `careful` also asks the kernel: the news may not have been read yet."""
        if self.state == CLOSED or self.transport.is_closing():
            return False
        return not (careful or self.bodyless) or is_quiet(self.transport.get_extra_info("socket"))

    def rest(self) -> None:
        """Be idle until somebody needs it."""
        replica = self.replica
        pool = replica.pools.get(self.port)
        if pool is None:
            pool = replica.pools[self.port] = []
        if len(pool) >= replica.hub.limits.pool_max or self.state == CLOSED or replica.draining or not self.reusable:
            self.drop()
            return
        self.state = IDLE
        self.idle_since = time.monotonic()
        pool.append(self)

    def drop(self) -> None:
        """Close it; nothing is in it."""
        self.client = None
        if self.state != CLOSED:
            self.state = CLOSED
            self.transport.close()

    def abort(self) -> None:
        """Close it with something in it."""
        self.client = None
        if self.state != CLOSED:
            self.state = CLOSED
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self.replica.count[ANSWER_BYTES] += len(data)
        client = self.client
        if client is None:  # an answer nobody asked for: whatever it is, nobody will be given it
            self.abort()
            return
        state = self.state
        if state == HEAD:
            self._read_head(client, data)
        elif state == LENGTH:
            self._read_length(client, data)
        elif state == CHUNKED:
            self._read_chunks(client, data)
        elif state == TO_END:
            client.transport.write(data)
        elif state == TUNNEL and client.tunnel is not None:
            client.tunnel.from_upstream(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self.client is not None and self.state != TUNNEL:
            self._read_last()
        replica, client, state = self.replica, self.client, self.state
        replica.connections.discard(self)
        self.state, self.client = CLOSED, None
        if client is None:
            pool = replica.pools.get(self.port, [])
            if state == IDLE and self in pool:
                pool.remove(self)
        elif state == TUNNEL and client.tunnel is not None:
            client.tunnel.upstream_lost(exc)
        elif state == TO_END and exc is None:
            client.finish()
        elif state == HEAD and not self.spoke:
            client.not_answered()
        elif state == HEAD:
            client.lose(502, "the replica broke off its answer")
        else:
            client.cut_short()

    def _read_last(self) -> None:
        """Nothing can be sent any more. What the replica said before that may not have been read: an early answer."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        with contextlib.suppress(OSError):
            while data := os.read(descriptor, HEAD_MAX_BYTES):
                self.data_received(data)

    def eof_received(self) -> bool:
        client = self.client
        return client is not None and client.tunnel is not None and client.tunnel.upstream_ended()

    def pause_writing(self) -> None:
        if self.client is not None:
            self.client.pause("upstream")

    def resume_writing(self) -> None:
        if self.client is not None:
            self.client.resume("upstream")

    @property
    def is_long_lived(self) -> bool:
        """Whether a WebSocket or an event stream is open on it."""
        return self.state == TUNNEL or (self.stream and self.client is not None)

    @property
    def kind(self) -> Kind:
        """What goes on in it: a request, unless its answer lasts."""
        client = self.client
        if client is None:
            return "request"
        if self.state == TUNNEL and client.tunnel is not None:
            return "websocket" if client.tunnel.framed else "bytes"
        return "stream" if self.stream else "request"

    def end_politely(self, reply_s: float) -> None:
        """Close what goes on for ever, where no frame or event is cut."""
        client = self.client
        if client is None:
            return
        if self.state == TUNNEL and client.tunnel is not None:
            client.tunnel.end_politely(reply_s)
        elif self.stream:
            self.ending = True
            self._end_stream(client)

    @property
    def asked_at(self) -> float:
        """What HTTP carries ends by itself, or politely."""
        return 0.0

    def end_idle(self, idle_s: float) -> None:
        """Close an upgraded connection on which nobody waits for an answer."""
        if self.client is not None and self.client.tunnel is not None:
            self.client.tunnel.end_idle(idle_s)

    def _read_head(self, client: "Downstream", data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
            self.buffer = b""
        self.spoke = True
        while data and self.state == HEAD:  # hundreds of interim answers may come at once
            try:
                answer, end = self._take_head(data)
            except BadAnswer as error:
                self._bad(client, str(error))
                return
            if answer is None:
                self.buffer = data
                return
            if answer.status >= 200:
                self._begin(client, answer, data, end)
                return
            data = data[end:]
            self._interim(client, answer, data)

    def _take_head(self, data: bytes) -> tuple[Answer | None, int]:
        """The first head in `data` and where it ends. None: it is not whole."""
        answers = self.replica.hub.answers
        end = data.find(b"\r\n\r\n") + 4
        if 4 <= end <= HEAD_MAX_BYTES:
            try:
                return answers[data if end == len(data) else data[:end]], end
            except BadAnswer:
                pass  # it may be written less strictly, and end earlier
        head, end = find_head(data)
        if (end or len(data)) > HEAD_MAX_BYTES:
            raise BadAnswer("the head of the answer is too large")
        return (answers[head], end) if end else (None, 0)

    def _begin(self, client: "Downstream", answer: Answer, data: bytes, end: int) -> None:
        """Begin to pass on the answer whose head ends there in `data`."""
        size = len(data)
        self.reusable = answer.reusable and not answer.mute
        length = answer.length
        if client.method == b"HEAD" or answer.status in _NO_BODY:
            length = 0
            self.bodyless = True
        elif answer.chunked:
            self._note_stream(answer)
            client.begin_answer(answer, not client.block.old)
            self._begin_chunks(client, data[end:])
            return
        elif length < 0:
            client.begin_answer(answer, False)
            self._begin_to_end(client, answer, data[end:])
            return
        head = client.begin_answer(answer, True)
        if answer.chunked and client.block.old:
            head = without_chunks(head)
        self.left = length - (size - end)
        if self.left > 0:
            self.state = LENGTH
            client.transport.write(head + data[end:])
            return
        if self.left < 0:
            self.reusable = False
            data = data[: end + length]
        client.transport.write(head + data[end:])
        self._done(client)

    def _begin_chunks(self, client: "Downstream", data: bytes) -> None:
        self.state = CHUNKED
        old = client.block.old
        self.chunks = Chunks(strict=False, unpack=old)
        client.transport.write(without_chunks(client.head) if old else client.head)
        if data:
            self._read_chunks(client, data)

    def _begin_to_end(self, client: "Downstream", answer: Answer, data: bytes) -> None:
        self.state = TO_END
        self.reusable = False
        self._note_stream(answer)
        client.transport.write(client.head + data)

    def _note_stream(self, answer: Answer) -> None:
        self.stream = answer.event_stream
        if self.stream:
            self.replica.note_long_lived()

    def _interim(self, client: "Downstream", answer: Answer, rest: bytes) -> None:
        if answer.status == 101:
            self._switch(client, answer, rest)
        elif not client.block.old:
            client.transport.write(answer.head)

    def _switch(self, client: "Downstream", answer: Answer, rest: bytes) -> None:
        offered, chosen = client.block.upgrade, answer.upgrade.lower()
        if not offered or (chosen and chosen not in offered):
            self._bad(client, "the replica switched protocols unasked")
            return
        if not client.request_ended:  # what the client sends next is still its request
            self._bad(client, "the replica switched protocols before the request had ended")
            return
        self.state = TUNNEL
        self.replica.note_long_lived()
        client.begin_tunnel(answer, framed=(chosen or offered[0]) == b"websocket")
        if rest and client.tunnel is not None:
            client.tunnel.from_upstream(rest)

    def _read_length(self, client: "Downstream", data: bytes) -> None:
        self.left -= len(data)
        if self.left > 0:
            client.transport.write(data)
            return
        if self.left < 0:
            self.reusable = False
            data = data[: self.left]
        client.transport.write(data)
        self._done(client)

    def _read_chunks(self, client: "Downstream", data: bytes) -> None:
        chunks = self.chunks
        assert chunks is not None, "a chunked answer is followed"
        try:
            end = chunks.feed(data)
        except BadChunk:
            self.abort()
            client.cut_short()
            return
        if end < 0:
            client.transport.write(chunks.unpacked(data))
            if self.ending:
                self._end_stream(client)
            return
        if end < len(data):
            self.reusable = False
            data = data[:end]
        client.transport.write(chunks.unpacked(data))
        self.chunks = None
        self._done(client)

    def _end_stream(self, client: "Downstream") -> None:
        if self.state == CHUNKED and self.chunks is not None and self.chunks.between_chunks:
            client.transport.write(self.chunks.unpacked(b"0\r\n\r\n"))
        elif self.state != TO_END:
            return
        self.abort()
        client.closing = True
        client.finish()

    def _done(self, client: "Downstream") -> None:
        self.client = None
        if client.stalled:
            self.transport.resume_reading()
        if client.request_ended and not self.transport.get_write_buffer_size():
            self.rest()
        else:
            self.abort()
        client.finish()

    def _bad(self, client: "Downstream", reason: str) -> None:
        self.abort()
        client.lose(502, reason)
