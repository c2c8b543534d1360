"""An upgraded connection: bytes both ways, and for a WebSocket a close frame when its replica is to end."""

import time
from typing import TYPE_CHECKING

from midair.router.embedded.ending import is_idle
from midair.router.embedded.frames import Frames, close_frame
from midair.router.embedded.record import ABORTED, LOST, STATUS

if TYPE_CHECKING:
    from midair.router.embedded.downstream import Downstream
    from midair.router.embedded.upstream import Upstream

RESTARTS = 1012  # "Service Restart": clients connect again
_ANSWERED = STATUS + 1  # of 101


class Tunnel:
    """Knows where frames end only when they are WebSocket's (`framed`)."""

    __slots__ = ("_answered_at", "_client", "_cut_down", "_cut_up", "_down", "_ended", "_reply_s", "_up", "_upstream",
                 "_wanted", "framed")  # fmt: skip

    def __init__(self, client: "Downstream", upstream: "Upstream", *, framed: bool) -> None:
        self._client = client
        self._upstream = upstream
        self.framed = framed
        self._down = Frames()  # from the replica to the client
        self._up = Frames()
        self._wanted = False  # a close frame is to be sent
        self._cut_down = self._cut_up = False  # it was sent: nothing may follow it
        self._ended = False
        self._reply_s = 0.0  # for the client to answer a close frame
        self._answered_at = time.monotonic()  # when the last bytes went to the client; 0: it has sent some since

    def from_upstream(self, data: bytes) -> None:
        """Pass on what the replica says."""
        if self.framed:
            boundary = self._down.feed(data)
            if self._cut_down:
                return
            if self._wanted and boundary:
                self._client.transport.write(data[:boundary])
                self._close_down()
                return
        self._answered_at = time.monotonic()
        self._client.transport.write(data)

    def from_client(self, data: bytes) -> None:
        """Pass on what the client says."""
        if self.framed:
            boundary = self._up.feed(data)
            if self._cut_down and self._up.closed:  # it has answered our close frame
                self._finish(_ANSWERED)
                return
            if self._cut_up:
                return
            if self._wanted and boundary:
                self._upstream.send(data[:boundary])
                self._close_up()
                return
        self._answered_at = 0.0
        self._upstream.send(data)

    def end_idle(self, idle_s: float) -> None:
        """Close a connection whose protocol is not known if nobody waits for an answer on it."""
        ends = (self._client.transport, self._upstream.transport)
        if not self.framed and not self._client.stalled and is_idle(self._answered_at, idle_s, *ends):
            self._finish(_ANSWERED)

    def end_politely(self, reply_s: float) -> None:
        """Send close frames both ways as soon as no frame is cut by them."""
        if not self.framed or self._wanted:
            return
        self._wanted = True
        self._reply_s = reply_s
        if self._down.between:
            self._close_down()
        if self._up.between:
            self._close_up()

    def upstream_ended(self) -> bool:
        """The replica sends no more. True: it may still be sent to."""
        if self.framed or self._ended:
            return False
        self._client.transport.write_eof()
        return True

    def client_ended(self) -> bool:
        """The client sends no more. True: it may still be sent to."""
        if self.framed or self._ended:
            return False
        self._upstream.transport.write_eof()
        return True

    def upstream_lost(self, exc: Exception | None) -> None:
        """The replica is gone. A client that was not told so by a close frame is told now, and has lost something."""
        if not self.framed:
            self._finish(_ANSWERED if exc is None else LOST)
        elif self._cut_down and not self._up.closed:
            return  # the client's reply is waited for
        elif self._down.closed or self._cut_down:
            self._finish(_ANSWERED)
        else:
            if self._down.between:
                self._client.transport.write(close_frame(RESTARTS, "service restart", masked=False))
            self._finish(LOST)

    def client_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        polite = self._up.closed or self._down.closed or self._cut_down
        self._finish(_ANSWERED if polite or (not self.framed and exc is None) else ABORTED)

    def _close_down(self) -> None:
        if not self._down.closed:
            self._client.transport.write(close_frame(RESTARTS, "service restart", masked=False))
        self._cut_down = True
        self._client.hub.loop.call_later(self._reply_s, self._finish, _ANSWERED)

    def _close_up(self) -> None:
        if not self._up.closed:
            self._upstream.transport.write(close_frame(RESTARTS, "service restart", masked=True))
        self._cut_up = True

    def _finish(self, outcome: int) -> None:
        if self._ended:
            return
        self._ended = True
        self._client.transport.close()
        self._upstream.drop()
        self._client.end_tunnel(outcome)
