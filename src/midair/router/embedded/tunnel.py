"""An upgraded connection: bytes both ways, and for a WebSocket a close frame at the drain deadline."""

from typing import TYPE_CHECKING

from midair.router.embedded.counts import ABORTED, LOST, STATUS
from midair.router.embedded.frames import Frames, close_frame

if TYPE_CHECKING:
    from midair.router.embedded.downstream import Downstream
    from midair.router.embedded.upstream import Upstream

RESTARTS = 1012  # "Service Restart": clients connect again
_ANSWERED = STATUS + 1  # of 101
_REPLY_S = 2.0  # for the client to answer a close frame


class Tunnel:
    """Knows where frames end only when they are WebSocket's (`framed`)."""

    __slots__ = ("_client", "_cut_down", "_cut_up", "_down", "_ended", "_framed", "_up", "_upstream", "_wanted")

    def __init__(self, client: "Downstream", upstream: "Upstream", *, framed: bool) -> None:
        self._client = client
        self._upstream = upstream
        self._framed = framed
        self._down = Frames()  # from the replica to the client
        self._up = Frames()
        self._wanted = False  # a close frame is to be sent
        self._cut_down = self._cut_up = False  # it was sent: nothing may follow it
        self._ended = False

    def from_upstream(self, data: bytes) -> None:
        """Pass on what the replica says."""
        if self._framed:
            boundary = self._down.feed(data)
            if self._cut_down:
                return
            if self._wanted and boundary:
                self._client.transport.write(data[:boundary])
                self._close_down()
                return
        self._client.transport.write(data)

    def from_client(self, data: bytes) -> None:
        """Pass on what the client says."""
        if self._framed:
            boundary = self._up.feed(data)
            if self._cut_down and self._up.closed:  # it has answered our close frame
                self._finish(_ANSWERED)
                return
            if self._cut_up:
                return
            if self._wanted and boundary:
                self._upstream.transport.write(data[:boundary])
                self._close_up()
                return
        self._upstream.transport.write(data)

    def end_politely(self) -> None:
        """Send close frames both ways as soon as no frame is cut by them."""
        if not self._framed or self._wanted:
            return
        self._wanted = True
        if self._down.between:
            self._close_down()
        if self._up.between:
            self._close_up()

    def upstream_ended(self) -> bool:
        """The replica sends no more. True: it may still be sent to."""
        if self._framed or self._ended:
            return False
        self._client.transport.write_eof()
        return True

    def client_ended(self) -> bool:
        """The client sends no more. True: it may still be sent to."""
        if self._framed or self._ended:
            return False
        self._upstream.transport.write_eof()
        return True

    def upstream_lost(self, exc: Exception | None) -> None:
        """The replica is gone. A client that was not told so by a close frame is told now, and has lost something."""
        if not self._framed:
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
        self._finish(_ANSWERED if polite or (not self._framed and exc is None) else ABORTED)

    def _close_down(self) -> None:
        if not self._down.closed:
            self._client.transport.write(close_frame(RESTARTS, "service restart", masked=False))
        self._cut_down = True
        self._client.hub.loop.call_later(_REPLY_S, self._finish, _ANSWERED)

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
