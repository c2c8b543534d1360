"""A connection on a port where nobody said what is spoken: its first bytes tell.

Services call each other by name in whatever protocol they like. What begins like HTTP/1 is routed request by request;
anything else (HTTP/2 and gRPC among it) is passed on as bytes, and so is a client that waits to be spoken to.
"""

import asyncio
import re
from typing import TYPE_CHECKING, cast

from midair.router.embedded.downstream import Downstream
from midair.router.embedded.tcp import TcpDownstream

if TYPE_CHECKING:
    from midair.router.embedded.listen import Listener

_SILENT_S = 1.0  # a client that has said nothing for so long waits for the server to speak first
_METHOD = re.compile(rb"(?!PRI )[A-Z]{1,20}(?: |$)")


class Sniffed(asyncio.Protocol):
    """Hands the connection to the protocol that fits."""

    transport: asyncio.Transport

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener
        self._timer: asyncio.TimerHandle | None = None
        self._begun = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._listener.hub.timed.add(self)  # a router that retires waits until it is known what this is
        self._timer = self._listener.hub.loop.call_later(_SILENT_S, self._become, TcpDownstream)

    def data_received(self, data: bytes) -> None:
        self._begun += data
        if b"PRI ".startswith(self._begun[:4]) and len(self._begun) < 4:
            return  # still either of the two
        self._become(Downstream if _METHOD.match(self._begun) else TcpDownstream)

    def look(self, now: float) -> None:
        """It has a clock of its own."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.hub.timed.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _become(self, kind: type[Downstream] | type[TcpDownstream]) -> None:
        assert self._timer is not None, "the connection was made"
        self._timer.cancel()
        if self.transport.is_closing():
            return
        self._listener.hub.timed.discard(self)
        protocol = kind(self._listener)
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self._begun:
            protocol.data_received(self._begun)
