"""The router process: its services and ports, what it is asked through the admin socket, and its end."""

import asyncio
import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from midair.errors import RouterTrouble
from midair.model.action import ReachReplicas, SetRoutes
from midair.model.project import Port
from midair.model.seen import RouteSeen
from midair.router.base import RouterDeath, RouterSeen
from midair.router.embedded import wire
from midair.router.embedded.books import books_of, merged, open_book
from midair.router.embedded.forwarding import Trust
from midair.router.embedded.fronts import Fronts
from midair.router.embedded.handover import Predecessor, Retirement, adopt
from midair.router.embedded.held import Heritage, Listening, Place
from midair.router.embedded.hub import Hub
from midair.router.embedded.limits import Limits
from midair.router.embedded.listen import Listener
from midair.router.embedded.reach import Reaching
from midair.router.embedded.service import Service
from midair.router.embedded.sockets import bind, reason
from midair.router.embedded.state import State, boot_id, forget_state, read_state, write_state

Answer = tuple[Any, tuple[int, ...]]  # and descriptors
DEATHS_KEPT = 16


class RouterProcess:
    """Made once, in `python -m midair.router.embedded`."""

    def __init__(self, folder: Path, limits: Limits, lock: int) -> None:
        self.folder = folder
        self.lock = lock
        self.hub = Hub(open_book(folder), limits, asyncio.get_running_loop())
        self.services: dict[str, Service] = {}
        self.reaching: dict[str, Reaching] = {}  # by service
        self.listeners: dict[Place, Listener] = {}
        self.started_at = time.time()
        self.deaths = read_state(folder).deaths  # of the routers before
        self._unsaved = True  # the file may say something else than what is in force
        self.ended = asyncio.Event()
        self._changing = asyncio.Lock()
        self._wires: set[wire.Wire] = set()
        self.predecessor: Predecessor | None = None
        self.retirement: Retirement | None = None
        self._admin: socket.socket | None = None
        self.fronts = Fronts(self)
        self.hub.on_change(self._tell)

    async def restore(self, heritage: Heritage) -> None:
        """Take up the routes and ports of a router that died, and the listening sockets that were kept of it."""
        state, kept = read_state(self.folder), heritage.sockets()
        actions = state.services
        ports = [port for action in actions for port in action.ports if not port.front]
        refused = any(port.place not in kept for port in ports)
        for action in actions:
            service = self.service(action.service)
            service.apply(action)
            service.remember_flows(state.left.get(action.service, {}))
            for port in action.ports:
                try:
                    await self.listen(service, port, kept.pop(port.place, []) or _bind(port))
                except OSError as error:
                    service.problem = reason(port, error)
        for sock in (each for sockets in kept.values() for each in sockets):
            sock.close()
        if ports:
            took_s = None if heritage.died_at is None else time.monotonic() - heritage.died_at
            rebooted = state.boot not in ("", boot_id())
            self._remember(RouterDeath(time.time(), self.hub.book.found_open, took_s, refused, rebooted))

    def open_admin(self) -> None:
        """Answer on the admin socket, in place of any other."""
        self._close_admin()
        self._admin = wire.listen(self.folder)
        self.fronts.open()
        self.hub.loop.add_reader(self._admin.fileno(), self._accept_admin)

    def observe(self) -> RouterSeen:
        """All that is known here."""
        routes = {name: service.seen() for name, service in self.services.items()}
        for name in {*routes, *self.reaching}:
            reach = self.reaching[name].seen() if name in self.reaching else ()
            routes[name] = msgspec.structs.replace(routes.get(name) or RouteSeen(settled=0), reach=reach)
        counts = [self.hub.book.read()]
        for book in books_of(self.folder, self._is_orphan):
            counts.append(book.read())
            book.close()
        return RouterSeen(routes, merged(*counts), os.getpid(), self.started_at, self.deaths, reaches=True)

    def absorb_orphans(self) -> None:
        """Move the counts of those that are dead by now here."""
        before = self.hub.book.found_open
        for book in books_of(self.folder, self._is_orphan):
            if book.lock():
                self.hub.book.absorb(book)
            else:
                book.close()
        self._note_lost(self.hub.book.found_open - before)

    def _is_orphan(self, book: str) -> bool:
        """Whether nobody else speaks for its router: the successor died, or it was told to leave, or it died early."""
        if self.predecessor is not None and book in self.predecessor.books:
            return False
        if self.retirement is not None and self.retirement.begun:
            return book in self.retirement.beside
        return book != self.hub.book.path.name

    async def perform(self, action: SetRoutes) -> None:
        """Put routes in force, once every port of theirs is listened on."""
        retirement = self.retirement
        if retirement is not None and not retirement.begun:
            raise RouterTrouble(f'cannot route "{action.service}": the router is being replaced')
        if retirement is not None:
            self.service(action.service).apply(msgspec.structs.replace(action, front=False))  # fronts are the heir's
            return
        async with self._changing:
            await self._change(action)
        if self.predecessor is not None:
            await self.predecessor.perform(action)

    async def _change(self, action: SetRoutes) -> None:
        service = self.service(action.service)
        newest = service.action.generation
        if action.generation < newest:
            raise RouterTrouble(
                f'cannot route "{action.service}": generation "{action.generation}" is older than "{newest}"'
            )
        if action == service.action and not service.problem:
            self.save_again()
            return
        _check_addresses(action)
        fresh = self._bind(service, action.ports)
        self._take_over(service, action.ports)
        service.apply(action)
        for port, sockets in fresh:
            await self.listen(service, port, sockets)
        self._close_others(service, action.ports)
        self.fronts.changed(action.service)
        self._save()

    def _reach(self, action: ReachReplicas) -> None:
        """Connect to the candidates of a service. They are not kept: a router after this one is asked again."""
        if not action.candidates:
            known = self.reaching.pop(action.service, None)
            if known is not None:
                known.want(())
            return
        if action.service not in self.reaching:
            self.reaching[action.service] = Reaching(self.hub.limits.connect_s, self.hub.changed, self.hub.note_reached)
        self.reaching[action.service].want(action.candidates)

    def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on."""
        problems = []
        for port in ports:
            if port.place in self.listeners and port.protocol != "udp":
                continue
            try:
                for sock in bind(port, shared=self._has(port.port)):
                    sock.close()
            except OSError as error:
                problems.append(reason(port, error))
        return tuple(problems)

    async def stop(self, *, forget: bool) -> None:
        """Listen no more, give requests a moment to end, and exit."""
        self._unsaved = False  # the file is the next one's, or nobody's
        if forget:
            forget_state(self.folder)
            (self.folder / wire.SOCKET).unlink(missing_ok=True)
        else:
            self._make_room()
        if self.predecessor is not None:
            self.predecessor.stop()
        self.fronts.close()
        for listener in self.listeners.values():
            listener.stop()
        self.listeners.clear()
        deadline = self.hub.loop.time() + self.hub.limits.stop_s
        while any(self._inside()) and self.hub.loop.time() < deadline:  # noqa: ASYNC110 - the data path has no event for it
            await asyncio.sleep(0.02)
        self.ended.set()

    def _make_room(self) -> None:
        """Let the next router begin while the last requests end here."""
        if self.retirement is None:
            fcntl.flock(self.lock, fcntl.LOCK_UN)
            self._leave_admin()

    def _leave_admin(self, heir: wire.Wire | None = None) -> None:
        """Answer nobody but the heir."""
        self._close_admin()
        for asker in tuple(self._wires):
            if asker is not heir:
                asker.close()
        self.fronts.close()

    def _close_admin(self) -> None:
        if self._admin is not None:
            self.hub.loop.remove_reader(self._admin.fileno())
            self._admin.close()
            self._admin = None

    def _inside(self) -> list[int]:
        return [replica.open for service in self.services.values() for replica in service.replicas()]

    def service(self, name: str) -> Service:
        if name not in self.services:
            self.services[name] = Service(self.hub, name)
        return self.services[name]

    def _bind(self, service: Service, ports: tuple[Port, ...]) -> list[tuple[Port, list[socket.socket]]]:
        """All or none of the ports that are not listened on yet."""
        fresh: list[tuple[Port, list[socket.socket]]] = []
        try:
            for port in ports:
                listener = self.listeners.get(port.place)
                if listener is None:
                    fresh.append((port, _bind(port, shared=self._has(port.port))))
        except OSError as error:
            for _, sockets in fresh:
                for sock in sockets:
                    sock.close()
            service.problem = reason(port, error)
            self.hub.changed()
            raise RouterTrouble(service.problem) from error
        return fresh

    def _has(self, number: int) -> bool:
        """Whether anything listens on this port here, on whatever address."""
        return any(listener.port.port == number for listener in self.own_listeners())

    def _take_over(self, service: Service, ports: tuple[Port, ...]) -> None:
        """A port that another service had goes over with its sockets: connections stay, the next request is new."""
        for port in ports:
            listener = self.listeners.get(port.place)
            if listener is None or listener.service is service:
                continue
            before = listener.service.action
            left = tuple(one for one in before.ports if one.place != port.place)
            listener.service.action = msgspec.structs.replace(before, ports=left)
            listener.service, listener.port = service, port

    async def listen(self, service: Service, port: Port, sockets: list[socket.socket]) -> None:
        listener = Listener(self.hub, service, port, sockets)
        self.listeners[port.place] = listener
        await listener.start()

    def _close_others(self, service: Service, ports: tuple[Port, ...]) -> None:
        wanted = {port.place: port for port in ports}
        for place, listener in list(self.listeners.items()):
            if listener.service is service:
                if place in wanted:
                    listener.port = wanted[place]
                else:
                    del self.listeners[place]
                    listener.stop()

    def own_listeners(self) -> list[Listener]:
        """Those on this machine: what is listened on in a front is its keeper's."""
        return [listener for listener in self.listeners.values() if not listener.port.front]

    def _listener(self, number: int) -> Answer:
        """One listener with its sockets."""
        listener = self.own_listeners()[number]
        return Listening(listener.service.name, listener.port), tuple(os.dup(s.fileno()) for s in listener.sockets)

    def save_again(self) -> None:
        """Write down what could not be written, if anything. Raises OSError when it still can't be."""
        if self._unsaved and self.retirement is None:
            self._save()

    def _save(self) -> None:
        self._unsaved = True
        left = {name: dict(service.left) for name, service in self.services.items() if service.left}
        actions = tuple(service.action for service in self.services.values())
        write_state(self.folder, State(actions, self.deaths, boot_id(), left))
        self._unsaved = False

    def _remember(self, death: RouterDeath) -> None:
        self.deaths = (*self.deaths, death)[-DEATHS_KEPT:]
        with contextlib.suppress(OSError):  # without room for it the routes matter more
            self._save()

    def _note_lost(self, lost: int) -> None:
        """So many requests were inside a router that died beside this one."""
        if lost:
            self._remember(RouterDeath(time.time(), lost, took_s=0.0, refused=False))

    def _accept_admin(self) -> None:
        assert self._admin is not None, "the admin socket is open"
        try:
            sock, _ = self._admin.accept()
        except OSError:
            return
        self._wires.add(wire.Wire(sock, self.answer, self.on_end))

    def on_end(self, end: wire.Wire) -> None:
        """One of those who asked has hung up, or the predecessor or heir is gone."""
        self._wires.discard(end)
        if self.predecessor is not None and self.predecessor.is_at(end):
            self._note_lost(self.predecessor.absorb())
            self.hub.run(self.predecessor.bury())
        if self.retirement is not None and self.retirement.is_for(end):
            if self.retirement.begun:
                for listener in self.listeners.values():
                    listener.closed = True  # nobody is left to pass connections on to
            else:
                self.retirement = None
                self.open_admin()  # it may have taken the socket's place

    def _tell(self) -> None:
        for watcher in tuple(self._wires):
            watcher.tell("changed")

    async def answer(self, asker: wire.Wire, message: wire.Message, fds: list[int]) -> Answer:
        """Do what is asked through the admin socket."""
        if message.do == "observe":
            return self.observe() if self.predecessor is None else await self.predecessor.observe(), ()
        if message.do == "perform":
            await self.perform(msgspec.json.decode(message.body, type=SetRoutes))
            return None, ()
        if message.do == "reach":
            self._reach(msgspec.json.decode(message.body, type=ReachReplicas))
            return None, ()
        if message.do == "check":
            return self.check(msgspec.json.decode(message.body, type=tuple[Port, ...])), ()
        if message.do == "stop":
            await self.stop(forget=True)
            return None, ()
        if message.do == "fronts":  # whether this router knows what that is
            return True, ()
        if message.do == "changed":
            self.hub.changed()
            return None, ()
        return await self._answer_router(asker, message, fds)

    async def _answer_router(self, asker: wire.Wire, message: wire.Message, fds: list[int]) -> Answer:
        """What a predecessor or successor says, or somebody else who keeps listening sockets."""
        if message.do == "offer":
            if self.retirement is not None:
                raise RouterTrouble("cannot replace the router: another one is about to")
            self.retirement = Retirement(self, asker)
            return self.retirement.offer()
        if message.do == "listeners":
            return len(self.own_listeners()), ()
        if message.do == "listener":
            return self._listener(msgspec.json.decode(message.body, type=int))
        if message.do == "retire" and self.retirement is not None and self.retirement.is_for(asker):
            self._leave_admin(asker)
            self.retirement.begin()
            return None, ()
        if message.do == "adopt":
            await adopt(self, msgspec.json.decode(message.body, type=Port), fds[0])
            return None, ()
        if message.do == "leave":
            await self.stop(forget=False)
            return None, ()
        raise RouterTrouble(f'cannot do "{message.do}": this router does not know how')


def _bind(port: Port, *, shared: bool = False) -> list[socket.socket]:
    """Sockets for a port of this machine. Those in a front are made there, and come from its keeper."""
    return [] if port.front else bind(port, shared=shared)


def _check_addresses(action: SetRoutes) -> None:
    try:
        Trust(action.trusted_proxies)
    except ValueError as error:
        raise RouterTrouble(f'cannot route "{action.service}": {error}') from error
    for route in action.routes:
        host, _, port = route.address.rpartition(":")
        if not host or not (port.isdigit() or port == "*"):
            raise RouterTrouble(f'cannot route "{action.service}": "{route.address}" is not host:port')
