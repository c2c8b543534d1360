"""How a router is put in the place of a running one without a refused or cut connection.

    successor                       predecessor
    "offer"          ──────────▶    state, lock, and then each listening socket; refuses new routes from now on
    accepts, too; takes the admin socket's place
    "retire"         ──────────▶    accepts no more; passes idle connections on, others when their request has ended
    "perform" …      ──────────▶    goes on routing what is left, by the newest routes
                     ◀── EOF ───    nothing is left: it exits, and its counts are moved into the successor's

Until "retire" either may die and the other goes on alone.
"""

import asyncio
import os
import socket
from typing import TYPE_CHECKING

import msgspec

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId
from midair.model.project import Port
from midair.model.seen import RouteSeen
from midair.router.base import RouterSeen
from midair.router.embedded import wire
from midair.router.embedded.books import merged
from midair.router.embedded.connection import CLOSED, IDLE, Connection
from midair.router.embedded.counts import Book
from midair.router.embedded.downstream import Downstream
from midair.router.embedded.held import Listening

if TYPE_CHECKING:
    from midair.router.embedded.process import RouterProcess

_LOOK_S = 0.02
_ASK_S, _RETIRE_S = 4.0, 10.0
_UNSENT_MAX = 100  # connections on their way to the heir


class Offer(msgspec.Struct, frozen=True):
    """What a predecessor leaves."""

    services: tuple[SetRoutes, ...]
    listeners: int
    counts: str  # the name of its book
    beside: tuple[str, ...] = ()  # and of those of its predecessors
    left: dict[str, dict[ReplicaId, str]] = {}  # by service: replicas that flows past the router may lead to


class Predecessor:
    """The successor's view: takes over from a running router, and speaks for it until it is gone."""

    def __init__(self, router: "RouterProcess", end: wire.Wire) -> None:
        self._router = router
        self._wire = end
        self.books: tuple[str, ...] = ()  # names of those it speaks for, its own first

    async def take(self) -> int:
        """Routes, listening sockets and the lock, which is returned."""
        offer, (lock,) = await self._wire.ask_for_descriptors("offer", None, Offer)
        self.books = (offer.counts, *offer.beside)
        for action in offer.services:
            service = self._router.service(action.service)
            service.apply(action)
            service.remember_flows(offer.left.get(action.service, {}))
            for port in action.ports:
                if port.front:
                    await self._router.listen(service, port, [])  # its keeper calls the new router
        for number in range(offer.listeners):
            offered, fds = await self._wire.ask_for_descriptors("listener", number, Listening)
            sockets = [socket.socket(fileno=fd) for fd in fds]
            await self._router.listen(self._router.service(offered.service), offered.port, sockets)
        return lock

    async def retire(self) -> None:
        """From here on the predecessor only ends what it has."""
        await self._ask("retire", None, _RETIRE_S)

    async def perform(self, action: SetRoutes) -> None:
        """Let it use the new routes, too. If it can't be told, `observe` will tell that they have not settled."""
        await self._ask("perform", action, _ASK_S)

    async def _ask(self, do: str, body: object, timeout_s: float) -> None:
        """Ask for what need not be done when it is gone."""
        try:
            await self._wire.ask(do, body, type(None), timeout_s=timeout_s)
        except RouterTrouble:
            if not self._wire.closed:
                raise

    def is_at(self, end: wire.Wire) -> bool:
        """True for its own connection."""
        return end is self._wire

    def stop(self) -> None:
        """Let it end soon."""
        self._wire.tell("leave")

    async def observe(self) -> RouterSeen:
        """What both see, as one."""
        try:
            theirs = await self._wire.ask("observe", None, RouterSeen, timeout_s=_ASK_S)
        except RouterTrouble:
            if self._wire.closed:
                return self._router.observe()  # with its counts, which were moved when it went
            raise
        ours = self._router.observe()
        if self._wire.closed:  # since it answered: its counts are among ours already
            return ours
        routes = {
            name: _both(route, theirs.routes[name]) if name in theirs.routes else route
            for name, route in ours.routes.items()
        }
        return msgspec.structs.replace(ours, routes=routes, counts=merged(ours.counts, theirs.counts))

    def absorb(self) -> int:
        """It is gone; what it had not ended is lost, and the rest of its counts are ours. Returns how many are lost."""
        book = self._router.hub.book
        before = book.found_open
        if self.books and (path := self._router.folder / self.books[0]).is_file():
            book.absorb(Book(path))
        return book.found_open - before

    async def bury(self) -> None:
        """Take up the last connections that it passed on."""
        await self._wire.finish()
        self._router.predecessor = None
        self._router.hub.changed()


class Retirement:
    """The predecessor's view: ends what it has and passes the rest on."""

    def __init__(self, router: "RouterProcess", heir: wire.Wire) -> None:
        self._router = router
        self._heir = heir
        self.begun = False
        self.beside: tuple[str, ...] = ()  # names of the books that the heir leaves to this one

    def is_for(self, end: wire.Wire) -> bool:
        """True for the connection to the heir."""
        return end is self._heir

    def offer(self) -> tuple[Offer, tuple[int, ...]]:
        """State, and the lock of the folder."""
        router = self._router
        services = tuple(service.action for service in router.services.values())
        self.beside = () if router.predecessor is None else router.predecessor.books
        left = {name: dict(service.left) for name, service in router.services.items() if service.left}
        book = router.hub.book.path.name
        return Offer(services, len(router.own_listeners()), book, self.beside, left), (os.dup(router.lock),)

    def begin(self) -> None:
        """The heir has taken over."""
        router, hub = self._router, self._router.hub
        self.begun = True
        os.close(router.lock)
        for listener in router.listeners.values():
            listener.stop(closed=False)
        hub.retiring = True
        hub.hand_over = self._hand_over
        for service in router.services.values():
            service.retire()
            service.leave_front()
        hub.run(self._finish())

    async def _finish(self) -> None:
        """Pass on what becomes idle, until nothing is left."""
        hub = self._router.hub
        while self._is_busy():
            for timed in tuple(hub.timed):
                if isinstance(timed, Connection):
                    self._hand_over(timed)
            await asyncio.sleep(_LOOK_S)
        self._router.ended.set()

    def _is_busy(self) -> bool:
        """True while there is a connection here, on its way to the heir, or at a predecessor of our own."""
        connected = any(isinstance(timed, asyncio.Protocol) for timed in self._router.hub.timed)
        sending = self._heir.backlog > 0 and not self._heir.closed
        return connected or sending or self._router.predecessor is not None

    def _hand_over(self, connection: Connection) -> bool:
        """Pass an idle connection on: its client notices nothing."""
        transport = connection.transport
        if self._heir.closed or connection.state != IDLE or connection.buffer or transport.is_closing():
            return False
        if transport.get_write_buffer_size() or self._heir.backlog > _UNSENT_MAX:
            return False
        try:
            descriptor = os.dup(transport.get_extra_info("socket").fileno())
        except OSError:
            return False  # as many are open as may be: some will be sent first
        connection.state = CLOSED
        transport.pause_reading()
        self._heir.tell("adopt", connection.listener.port, (descriptor,))
        transport.abort()
        return True


async def adopt(router: "RouterProcess", port: Port, descriptor: int) -> None:
    """Go on with a connection that a predecessor accepted, and on which HTTP is spoken."""
    sock = socket.socket(fileno=descriptor)
    listener = router.listeners.get(port.place)
    if listener is None:
        sock.close()
        return
    sock.setblocking(False)
    try:
        await router.hub.loop.connect_accepted_socket(lambda: Downstream(listener), sock)
    except OSError:
        sock.close()  # the client has gone away on the way


def _both(ours: RouteSeen, theirs: RouteSeen) -> RouteSeen:
    inside: dict[ReplicaId, int] = dict(ours.open)
    for replica, number in theirs.open.items():
        inside[replica] = inside.get(replica, 0) + number
    settled = min(ours.settled, theirs.settled)
    return msgspec.structs.replace(ours, settled=settled, open=inside, held=ours.held + theirs.held)


async def take_over(router: "RouterProcess") -> int:
    """Become the successor of the router that runs in this folder, up to the point where both accept."""
    try:
        sock = wire.connect(router.folder)
    except OSError as error:
        raise RouterTrouble(f"cannot take over from the router: {(error.strerror or str(error)).lower()}") from error
    predecessor = Predecessor(router, wire.Wire(sock, router.answer, router.on_end))
    router.predecessor = predecessor
    return await predecessor.take()
