"""One replica as the router knows it: its pooled connections, what is inside it, and whether it takes connections."""

import asyncio
import time
from typing import TYPE_CHECKING

from midair.model.ids import ReplicaId, revision_of
from midair.router.embedded.ending import Ending, Ends, Inside
from midair.router.embedded.hub import Hub
from midair.router.embedded.record import LONG_LIVED_AT
from midair.router.embedded.upstream import Upstream

if TYPE_CHECKING:
    from midair.router.embedded.downstream import Downstream
    from midair.router.embedded.service import Service

_PROBE_FIRST_S, _PROBE_MAX_S = 0.25, 4.0
_FAILURES_TO_EJECT = 2


class Replica:
    """A replica at one address. It drains once no route leads to it."""

    __slots__ = ("address", "connections", "count", "draining", "ejected", "ending", "failures", "host", "hub",
                 "id", "open", "overdue", "pending", "pools", "port", "refuses", "revision", "service",
                 "weight")  # fmt: skip

    def __init__(self, service: "Service", replica: ReplicaId, address: str) -> None:
        self.service = service
        self.hub: Hub = service.hub
        self.id = replica
        self.revision: str = revision_of(replica)
        self.address = address
        host, _, port = address.rpartition(":")
        self.host = host.strip("[]")
        self.port = 0 if port == "*" else int(port)  # 0: that which each listener's port leads to
        self.weight = 0
        self.open = 0  # requests inside
        self.overdue = 0  # of those, when it was looked last: see RouteSeen
        self.pools: dict[int, list[Upstream]] = {}  # idle connections by port, the latest used last
        self.pending: dict[Upstream, Downstream] = {}  # requests that wait for a connection
        self.connections: set[Inside] = set()
        self.count = self.hub.book.count(service.name, self.revision, replica)
        self.draining = False
        self.ending = Ending(self)
        self.failures = 0  # connections refused in a row
        self.ejected = False
        self.refuses = False  # it is ejected because it refuses connections, and not because it is slow to take them

    def take(self, client: "Downstream") -> None:
        """Give the request to a pooled connection, or to a new one."""
        port = self.port or client.listener.port.target
        idle = self.pools.get(port)
        if idle:
            upstream = self._pooled(idle) if client.is_safe_to_send else self._warm(idle)
            if upstream is not None:
                upstream.begin(client)
                return
        client.awaited = upstream = Upstream(self, port)
        self.pending[upstream] = client
        self.hub.run(self._connect_for(client, upstream))

    def _pooled(self, idle: list[Upstream]) -> Upstream | None:
        """The connection that was used last, for a request that is repeated if the replica closes it just then."""
        oldest = time.monotonic() - self.hub.limits.pooled_s
        while idle:
            upstream = idle.pop()
            if upstream.idle_since >= oldest and upstream.is_open(careful=False):
                return upstream
            upstream.drop()
        return None

    def _warm(self, idle: list[Upstream]) -> Upstream | None:
        """One that was used a moment ago, for a request that may not be sent twice.

        The replica may be closing any other just now. The new one that is made in place of those replaces the oldest,
        so that no more of them are kept than there were requests at once.
        """
        oldest = time.monotonic() - self.hub.limits.warm_s
        while idle and idle[-1].idle_since >= oldest:
            upstream = idle.pop()
            if upstream.is_open(careful=True):
                return upstream
            upstream.drop()
        if idle:
            idle.pop(0).drop()
        return None

    def drain(self, ends: Ends) -> None:
        """No request begins here any more."""
        self.draining = True
        for upstream in [upstream for pool in self.pools.values() for upstream in pool]:
            upstream.drop()
        self.pools.clear()
        for upstream in self.pending:  # the address of one that is gone may never say no
            self.hub.loop.call_soon(self._give_up_on, upstream)
        self.end(ends)

    def end(self, ends: Ends) -> None:
        """End what would never end by itself."""
        if self.open:
            self.ending.begin(ends)

    def undrain(self) -> None:
        """Routed again. Whether it takes connections by now was not looked at while it drained."""
        if self.draining:
            self.draining = self.ejected = False
            self.overdue = 0
        if not self.hub.retiring:
            self.ending.call_off()

    def left(self) -> None:
        """A request has left."""
        self.open -= 1
        if self.draining and not self.open:
            self.service.emptied(self)

    def look_overdue(self) -> None:
        """Count what has waited for an answer for too long while others are held for it, and say when that is all."""
        action = self.service.action
        since = time.monotonic() - action.drain_timeout_s if action.hold and not action.routes else 0.0
        overdue = sum(0 < connection.asked_at <= since for connection in self.connections)
        is_news = overdue == self.open != self.overdue
        self.overdue = overdue
        if is_news:
            self.hub.changed()

    def look(self, now: float) -> None:
        """Close pooled connections that have been idle for too long, the pool's first ones; note long-lived ones."""
        if any(connection.is_long_lived for connection in self.connections):
            self.note_long_lived()
        oldest = now - self.hub.limits.pooled_s
        for pool in self.pools.values():
            while pool and pool[0].idle_since < oldest:
                pool.pop(0).drop()

    def note_long_lived(self) -> None:
        """A WebSocket or an event stream is open now."""
        self.count[LONG_LIVED_AT] = int(time.time())

    def refused_connection(self, port: int, *, refused: bool = True) -> None:
        """A connection could not be made. `refused`: it was said so; else nothing was said in time.

        A port that never took one while others do says nothing about the replica: nobody listens there.
        """
        reached = self.hub.reached.get(self.host)
        if refused and self.port == 0 and reached and port not in reached:
            return
        self.failures += 1
        self.refuses = refused
        if self.failures >= _FAILURES_TO_EJECT and not self.ejected and not self.draining:
            self.ejected = True
            self.service.table.rebuild()
            self.hub.changed()
            self.hub.run(self._probe(port))

    def took_connection(self, port: int) -> None:
        """A connection was made."""
        self.failures = 0
        if self.port == 0:
            self.hub.note_reached(self.host, port)
        if self.ejected:
            self.ejected = False
            self.service.table.rebuild()
            self.hub.changed()

    async def _connect_for(self, client: "Downstream", upstream: Upstream) -> None:
        connected = await self.connect(upstream, upstream.port)
        self.pending.pop(upstream, None)
        if client.awaited is not upstream:  # it went away meanwhile, or elsewhere
            if connected:
                upstream.rest()
            return
        client.awaited = None
        if connected and upstream.is_open(careful=not client.is_safe_to_send):
            upstream.begin(client)
            return
        if connected:
            upstream.drop()
        client.not_taken()

    def _give_up_on(self, upstream: Upstream) -> None:
        """Whoever waits for this connection goes elsewhere."""
        client = self.pending.pop(upstream, None)
        if client is not None and client.awaited is upstream:
            client.awaited = None
            client.not_taken()

    async def connect(self, upstream: asyncio.Protocol, port: int) -> bool:
        """Make a connection. False when the replica takes none."""
        try:
            async with asyncio.timeout(self.hub.limits.connect_s):
                await self.hub.loop.create_connection(lambda: upstream, self.host, port)
        except OSError as error:  # a timeout is one, too
            self.refused_connection(port, refused=not isinstance(error, TimeoutError))
            return False
        self.took_connection(port)
        return True

    async def _probe(self, port: int) -> None:
        """Look whether an ejected replica takes connections again."""
        wait = _PROBE_FIRST_S
        while self.ejected and not self.draining:
            await asyncio.sleep(wait)
            wait = min(wait * 2, _PROBE_MAX_S)
            upstream = Upstream(self, port)
            if await self.connect(upstream, port):
                upstream.rest()
