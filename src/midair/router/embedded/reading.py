"""Reads requests from a client's connection: heads, bodies, and what comes before its turn.

    IDLE ──head──▶ BODY ──body──▶ ANSWERING ──answer──▶ IDLE     (no body: at once ANSWERING)
                     └── 101 Switching Protocols ──▶ TUNNEL      any ──refused, Connection: close──▶ LINGER, CLOSED

Requests that come before their turn (pipelining) wait in `buffer`, so that answers keep their order.
"""

import time
from typing import TYPE_CHECKING

from midair.router.embedded.body import BadChunk, Chunks
from midair.router.embedded.connection import ANSWERING, BODY, IDLE, LINGER, TUNNEL, Connection
from midair.router.embedded.head import REQUEST_LINE, BadHead, Block, check_line, check_partial, check_target

if TYPE_CHECKING:
    from midair.router.embedded.listen import Listener
    from midair.router.embedded.tunnel import Tunnel

_REPEATABLE = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))  # RFC 9110, 9.2.2
_NO_BLOCK = Block(forward=b"", host=b"")


class Reader(Connection):
    """The request in hand, as far as the client has sent it. What becomes of it is up to `Downstream`."""

    __slots__ = (
        "began",
        "block",
        "chunks",
        "client",
        "left",
        "method",
        "outgoing",
        "repeatable",
        "request_ended",
        "tunnel",
    )

    def __init__(self, listener: "Listener") -> None:
        super().__init__(listener)
        self.tunnel: Tunnel | None = None
        self.began = 0.0
        self.client = b""  # address of the one whom trusted proxies forward for; without a list of those: not known
        self.clear_request()

    def clear_request(self) -> None:
        """No request is in hand."""
        self.block = _NO_BLOCK
        self.method = b""
        self.outgoing = b""  # what was sent of it, or is to be, while it may be repeated
        self.repeatable = False
        self.request_ended = True
        self.left = 0  # of its body
        self.chunks: Chunks | None = None

    def dispatch(self) -> None:
        """Get the request in hand answered."""
        raise NotImplementedError

    def refuse(self, refusal: BadHead) -> None:
        """Refuse what the client has sent."""
        raise NotImplementedError

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
        elif state == LINGER:
            self.since = time.monotonic()

    def _read_head(self, data: bytes) -> None:
        line = REQUEST_LINE.match(data)
        end = data.find(b"\r\n\r\n") + 4
        if line is None or end == 3:
            self._read_odd_head(data, end)
            return
        start = line.end()
        raw = data[start:end]
        method = line[1]
        try:
            if end > self.hub.limits.buffer_bytes:
                raise BadHead(431, "the request head is too large")
            block = self.hub.blocks[raw]
            line_bytes = data[:start]
            if data[len(method) + 1] != 47:  # the target does not begin with a slash
                target, block = check_target(method, line[2], block)
                line_bytes = method + b" " + target + b" "
        except BadHead as refusal:
            self.refuse(refusal)
            return
        self._begin(method, block, line_bytes, data[end:] if len(data) > end else b"")

    def _read_odd_head(self, data: bytes, end: int) -> None:
        """A head that is not whole, does not begin at once, or is bad."""
        stripped = data.lstrip(b"\r\n") if data[:1] in (b"\r", b"\n") else data
        try:
            if len(data) - len(stripped) > 8:
                raise BadHead(400, "too many empty lines before a request")
            if stripped is not data:
                self.buffer = b""
                if stripped:
                    self._read_head(stripped)
                return
            check_partial(stripped)
            if b"\r\n" in stripped and not REQUEST_LINE.match(stripped):
                check_line(stripped)
        except BadHead as refusal:
            self.refuse(refusal)
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
        self.service = self.listener.service
        trust = self.service.trust
        if trust is None:
            self.outgoing = line + block.forward + self.peer + tail
        else:
            sender = trust.sender(block, self.peer)
            self.client = sender.client
            self.outgoing = line + sender.forward + tail
        self.repeatable = method in _REPEATABLE
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
                self.refuse(BadHead(400, str(error)))
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
            upstream.send(data)
            if not self.repeatable:
                return
        self.outgoing += data
        if len(self.outgoing) > self.hub.limits.buffer_bytes:
            if upstream is not None:
                self.repeatable = False
                self.outgoing = b""
            else:
                self.pause("connecting")
