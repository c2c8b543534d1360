"""How connections of a replica that is out of the routes end when they would never end by themselves.

WebSockets and event streams are closed politely, spread over the time they have or at its end. A connection that only
carries bytes is closed as soon as it is idle: the last bytes went to the client a moment ago, so nobody waits for an
answer, and none would come to say that it is over.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId
from midair.router.embedded.sockets import is_quiet

if TYPE_CHECKING:
    from midair.router.embedded.replica import Replica

Kind = Literal["request", "websocket", "stream", "bytes"]
IDLE_S = 0.1  # since the last bytes went to the client
_LOOK_S = 0.02  # between two looks for what has become idle
_SHARE = 20.0  # of the time that the last look took, at least, before the next one
_REPLY_S = 2.0  # for a client to answer a close frame …
_REPLY_UNDER_HOLD_S = 0.5  # … and while others are held for it
_NEVER = float("inf")


class Inside(Protocol):
    """A connection to a replica with something in it."""

    @property
    def kind(self) -> Kind:
        """What goes on in it."""

    @property
    def is_long_lived(self) -> bool:
        """Whether a WebSocket or an event stream is open on it."""

    @property
    def asked_at(self) -> float:
        """Since when an answer is waited for, on the monotonic clock, where only bytes are carried; 0: nobody waits."""

    def end_politely(self, reply_s: float) -> None:
        """Close it where nothing is cut. The client has `reply_s` seconds to answer, where it has to."""

    def end_idle(self, idle_s: float) -> None:
        """Close it if nobody has waited for an answer on it for so long."""


class Ends(NamedTuple):
    """When what lasts is ended, in seconds from now; infinity: never."""

    websocket_s: float
    stream_s: float
    spread: bool = False  # WebSockets one after the other, so that their clients don't all connect in one instant
    idle: bool = False  # connections that only carry bytes, as soon as they are idle
    reply_s: float = _REPLY_S


def ends_of(action: SetRoutes, replica: ReplicaId | None = None) -> Ends:
    """What these routes ask for, for a replica that they do not contain."""
    if action.long_lived != "close":
        return Ends(_NEVER, _NEVER)
    timeout_s = _shortly_before(action.drain_timeout_s)
    if replica not in action.leaving:
        return Ends(timeout_s, timeout_s)
    websocket_s = timeout_s if action.websocket_s is None else _shortly_before(action.websocket_s)
    stream_s = timeout_s if action.stream_s is None else _shortly_before(action.stream_s)
    reply_s = _REPLY_S if websocket_s else _REPLY_UNDER_HOLD_S
    return Ends(websocket_s, stream_s, spread=True, idle=True, reply_s=reply_s)


def _shortly_before(timeout_s: float) -> float:
    """So that the replica is empty at the deadline."""
    return timeout_s - min(1.0, timeout_s / 10)


def is_idle(answered_at: float, idle_s: float, *ends: asyncio.Transport) -> bool:
    """Whether the last bytes went to the client so long ago, and none are on their way in either direction.

    `answered_at`: on the monotonic clock; 0 while the last bytes came from the client."""
    if not 0 < answered_at <= time.monotonic() - idle_s:
        return False
    return not any(
        end.is_closing() or end.get_write_buffer_size() or not is_quiet(end.get_extra_info("socket")) for end in ends
    )


class Ending:
    """Ends what lasts in one replica. Asked again it only ever becomes earlier, until it is called off."""

    __slots__ = ("_ends", "_look_at", "_replica", "_spread", "_streams_at", "_websockets_at")

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica
        self._ends = Ends(_NEVER, _NEVER)
        self._websockets_at = self._streams_at = _NEVER
        self._spread: list[asyncio.TimerHandle] = []
        self._look_at: asyncio.TimerHandle | None = None

    def begin(self, ends: Ends) -> None:
        """End what is there by then."""
        now = self._replica.hub.loop.time()
        if now + ends.websocket_s < self._websockets_at:
            self._websockets_at = now + ends.websocket_s
            self._spread_over(ends)
        self._streams_at = min(self._streams_at, now + ends.stream_s)
        self._ends = ends._replace(idle=ends.idle or self._ends.idle, reply_s=min(ends.reply_s, self._ends.reply_s))
        self._look()

    def call_off(self) -> None:
        """The replica is routed to again, or is empty."""
        for timer in self._spread:
            timer.cancel()
        self._spread.clear()
        if self._look_at is not None:
            self._look_at.cancel()
            self._look_at = None
        self._ends = Ends(_NEVER, _NEVER)
        self._websockets_at = self._streams_at = _NEVER

    def _spread_over(self, ends: Ends) -> None:
        for timer in self._spread:
            timer.cancel()
        there = [one for one in self._replica.connections if one.kind == "websocket"] if ends.spread else []
        self._spread = [
            self._replica.hub.loop.call_later(ends.websocket_s * place / len(there), one.end_politely, ends.reply_s)
            for place, one in enumerate(there)
        ]

    def _look(self) -> None:
        """Close what is due, also what has become one of its kind meanwhile, and come back."""
        if self._look_at is not None:
            self._look_at.cancel()
            self._look_at = None
        loop, ends = self._replica.hub.loop, self._ends
        began = loop.time()
        for connection in tuple(self._replica.connections):
            kind = connection.kind
            if kind == "bytes" and ends.idle:
                connection.end_idle(IDLE_S)
            elif began >= {"websocket": self._websockets_at, "stream": self._streams_at}.get(kind, _NEVER):
                connection.end_politely(ends.reply_s)
        if not self._replica.open:
            return
        self._replica.look_overdue()
        if ends.idle:  # with thousands of connections the others' requests come first
            self._look_at = loop.call_later(max(_LOOK_S, _SHARE * (loop.time() - began)), self._look)
            return
        due = min((at for at in (self._websockets_at, self._streams_at) if at > began), default=_NEVER)
        if due < _NEVER:
            self._look_at = loop.call_at(due, self._look)
