"""The router process: its services and ports, what it is asked through the admin socket, and its end."""

import asyncio
import fcntl
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.router.base import RouterSeen
from midair.router.embedded import wire
from midair.router.embedded.counts import open_book
from midair.router.embedded.hub import Hub
from midair.router.embedded.limits import Limits
from midair.router.embedded.listen import Listener
from midair.router.embedded.service import Service
from midair.router.embedded.sockets import bind, reason
from midair.router.embedded.state import State, forget_state, read_state, write_state

Place = tuple[str, int]  # host and port


class RouterProcess:
    """Made once, in `python -m midair.router.embedded`."""

    def __init__(self, folder: Path, limits: Limits, lock: int) -> None:
        self.folder = folder
        self._lock = lock
        self.hub = Hub(open_book(folder), limits, asyncio.get_running_loop())
        self.services: dict[str, Service] = {}
        self.listeners: dict[Place, Listener] = {}
        self.started_at = time.time()
        self.ended = asyncio.Event()
        self._changing = asyncio.Lock()
        self._wires: set[wire.Wire] = set()
        self._admin: socket.socket | None = None
        self.hub.on_change(self._tell)

    async def restore(self) -> None:
        """Take up the routes and ports of the router before."""
        for action in read_state(self.folder).services:
            service = self._service(action.service)
            service.apply(action)
            for port in action.ports:
                try:
                    await self._listen(service, port, bind(port))
                except OSError as error:
                    service.problem = reason(port, error)

    def open_admin(self) -> None:
        """Answer on the admin socket, in place of any other."""
        self._admin = wire.listen(self.folder)
        self.hub.loop.add_reader(self._admin.fileno(), self._accept_admin)

    def observe(self) -> RouterSeen:
        """All that is known here."""
        routes = {name: service.seen() for name, service in self.services.items()}
        return RouterSeen(routes, self.hub.book.read(), os.getpid(), self.started_at)

    async def perform(self, action: SetRoutes) -> None:
        """Put routes in force, once every port of theirs is listened on."""
        async with self._changing:
            service = self._service(action.service)
            newest = service.action.generation
            if action.generation < newest:
                raise RouterTrouble(
                    f'cannot route "{action.service}": generation "{action.generation}" is older than "{newest}"'
                )
            if action == service.action and not service.problem:
                return
            _check_addresses(action)
            fresh = self._bind(service, action.ports)
            service.apply(action)
            for port, sockets in fresh:
                await self._listen(service, port, sockets)
            self._close_others(service, action.ports)
            self._save()

    def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on."""
        problems = []
        for port in ports:
            if (port.host, port.port) in self.listeners and port.protocol != "udp":
                continue
            try:
                for sock in bind(port):
                    sock.close()
            except OSError as error:
                problems.append(reason(port, error))
        return tuple(problems)

    async def stop(self, *, forget: bool) -> None:
        """Listen no more, give requests a moment to end, and exit."""
        if forget:
            forget_state(self.folder)
            (self.folder / wire.SOCKET).unlink(missing_ok=True)
        else:
            self._leave()
        for listener in self.listeners.values():
            listener.stop()
        self.listeners.clear()
        deadline = self.hub.loop.time() + self.hub.limits.stop_s
        while any(self._inside()) and self.hub.loop.time() < deadline:  # noqa: ASYNC110 - the data path has no event for it
            await asyncio.sleep(0.02)
        self.ended.set()

    def _leave(self) -> None:
        """Make room for the next router while the last requests end."""
        fcntl.flock(self._lock, fcntl.LOCK_UN)
        if self._admin is not None:
            self.hub.loop.remove_reader(self._admin.fileno())
            self._admin.close()
        for asker in tuple(self._wires):
            asker.close()

    def _inside(self) -> list[int]:
        return [replica.open for service in self.services.values() for replica in service.replicas()]

    def _service(self, name: str) -> Service:
        if name not in self.services:
            self.services[name] = Service(self.hub, name)
        return self.services[name]

    def _bind(self, service: Service, ports: tuple[Port, ...]) -> list[tuple[Port, list[socket.socket]]]:
        """All or none of the ports that are not listened on yet."""
        fresh: list[tuple[Port, list[socket.socket]]] = []
        try:
            for port in ports:
                listener = self.listeners.get((port.host, port.port))
                if listener is None:
                    fresh.append((port, bind(port)))
                elif listener.service is not service:
                    raise OSError(0, f'service "{listener.service.name}" listens on it')
        except OSError as error:
            for _, sockets in fresh:
                for sock in sockets:
                    sock.close()
            service.problem = reason(port, error)
            self.hub.changed()
            raise RouterTrouble(service.problem) from error
        return fresh

    async def _listen(self, service: Service, port: Port, sockets: list[socket.socket]) -> None:
        listener = Listener(self.hub, service, port, sockets)
        self.listeners[port.host, port.port] = listener
        await listener.start()

    def _close_others(self, service: Service, ports: tuple[Port, ...]) -> None:
        wanted = {(port.host, port.port): port for port in ports}
        for place, listener in list(self.listeners.items()):
            if listener.service is service:
                if place in wanted:
                    listener.port = wanted[place]
                else:
                    del self.listeners[place]
                    listener.stop()

    def _save(self) -> None:
        write_state(self.folder, State(tuple(service.action for service in self.services.values())))

    def _accept_admin(self) -> None:
        assert self._admin is not None, "the admin socket is open"
        try:
            sock, _ = self._admin.accept()
        except OSError:
            return
        self._wires.add(wire.Wire(sock, self._answer, self._wires.discard))

    def _tell(self) -> None:
        for watcher in tuple(self._wires):
            watcher.tell("changed")

    async def _answer(self, asker: wire.Wire, message: wire.Message, fds: list[int]) -> tuple[Any, tuple[int, ...]]:
        if message.do == "observe":
            return self.observe(), ()
        if message.do == "perform":
            await self.perform(msgspec.json.decode(message.body, type=SetRoutes))
            return None, ()
        if message.do == "check":
            return self.check(msgspec.json.decode(message.body, type=tuple[Port, ...])), ()
        if message.do == "stop":
            await self.stop(forget=True)
            return None, ()
        raise RouterTrouble(f'cannot do "{message.do}": this router does not know how')


def _check_addresses(action: SetRoutes) -> None:
    for route in action.routes:
        host, _, port = route.address.rpartition(":")
        if not host or not port.isdigit():
            raise RouterTrouble(f'cannot route "{action.service}": "{route.address}" is not host:port')


async def serve(folder: Path, limits: Limits, lock: int, ready: int | None) -> None:
    """Run until told to stop."""
    router = RouterProcess(folder, limits, lock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: router.hub.run(router.stop(forget=False)))
    await router.restore()
    router.open_admin()
    if ready is not None:
        os.write(ready, b"ready\n")
        os.close(ready)
    await router.ended.wait()
