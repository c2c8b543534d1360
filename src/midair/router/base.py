"""What every router offers: it sends requests where the core says, counts each of them, and decides nothing."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from midair.model.action import RouterAction
from midair.model.counters import Record
from midair.model.project import Port
from midair.model.seen import RouteSeen, Tally


class RevisionCount(msgspec.Struct, frozen=True):
    """The outcomes of one service's revision since the router's counts began. They survive its restart."""

    service: str
    revision: str  # "" for requests that reached no replica
    tally: Tally
    by_status: dict[str, int]  # "1xx" … "5xx" of the answers
    long_lived_at: float = 0.0  # when a WebSocket or an event stream was open last, by the wall clock; 0.0: not known


class RouterDeath(msgspec.Struct, frozen=True):
    """A router process died, and another one took its place."""

    back_at: float  # when that one listened, by the wall clock
    lost: int  # requests that were inside the dead one
    took_s: float | None = None  # from one to the other; None: nobody saw it die
    refused: bool = True  # connections made in between were refused, and nobody can count those; else they waited
    rebooted: bool = False  # it ended with the machine, which was started again


class RouterSeen(msgspec.Struct, frozen=True):
    """All the router knows."""

    routes: dict[str, RouteSeen]  # by service
    counts: tuple[RevisionCount, ...]
    pid: int
    started_at: float
    deaths: tuple[RouterDeath, ...] = ()  # of routers before this one, the last ones, oldest first
    reaches: bool = False  # it connects to candidates; an older one does not


class Router(Protocol):
    """Routes the requests of one project. Methods raise `errors.RouterTrouble`."""

    name: str

    async def open(self) -> None:
        """Start the router, or find the one that is running."""

    async def close(self) -> None:
        """Let go of it without stopping it."""

    async def stop(self) -> None:
        """End it: no port is listened on any more."""

    async def restart(self) -> None:
        """Put a new router in the place of the running one. No connection is refused or cut, and no count is lost."""

    async def observe(self) -> RouterSeen:
        """Routes in force, open requests and counts, measured together."""

    async def records(self) -> tuple[Record, ...]:
        """All that was counted, by replica. No router process is asked."""

    async def perform(self, action: RouterAction) -> None:
        """Ask for a new generation of a service's routes, or name the replicas to connect to; `observe` reports both.

        A generation older than the newest asked for is refused (RouterTrouble). The same one again is harmless."""

    async def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on. Changes nothing."""

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` (in the loop) when routes settled, or when a draining replica became idle."""
