"""The fronts of a project as its router sees them: keepers that called, what each was told, and what it answered.

A keeper connects, says whose front it is, and from then on is told which ports to listen on and which replicas get
all others. Routes of a service with a front are in force only when its keeper has them, too. Sockets of a keeper are
dropped as soon as its connection ends: those of a container that has ended are dead, but not closed.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.router.embedded import wire
from midair.router.embedded.service import Service

if TYPE_CHECKING:
    from midair.router.embedded.process import RouterProcess

FOLDER, SOCKET = "fronts", "front.sock"  # keepers look for it there, inside what is mounted into them
_LOOK_S = 0.2  # between two looks at flows that a replica was left with
_AGAIN_S = 1.0  # after a keeper could not do what it was told


class Hello(msgspec.Struct, frozen=True):
    """Whose front it is, and which start of its container."""

    service: str
    boot: str


class Order(msgspec.Struct, frozen=True):
    """What a keeper is told."""

    ports: tuple[int, ...]  # to listen on
    shares: tuple[tuple[str, int], ...]  # address and weight of each replica, for every other port
    wait: bool  # what is new waits while there is no replica
    left: tuple[str, ...]  # addresses of replicas whose open flows are asked for


class Done(msgspec.Struct, frozen=True):
    """What it answers; the sockets come with it, in this order."""

    listening: tuple[tuple[int, int], ...]  # port, and how many sockets
    open: dict[str, int]


class Front:
    """One keeper that is connected."""

    def __init__(self, fronts: "Fronts", end: wire.Wire, hello: Hello) -> None:
        self.fronts, self.wire, self.boot, self.name = fronts, end, hello.boot, hello.service
        self._news = asyncio.Event()
        self._news.set()
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def changed(self) -> None:
        """The service has other routes."""
        self._news.set()

    def close(self) -> None:
        """Let go of it."""
        self._task.cancel()
        self.wire.close()

    async def _keep(self) -> None:
        """Tell it what it has to know, and look after flows that are still open, until it is gone."""
        done: SetRoutes | None = None
        while not self.wire.closed:
            service = self.fronts.service(self.name)
            pause: float | None = None
            try:
                if service is not None and service.action.front and service.action != done:
                    self._news.clear()
                    done = await self._set(service, service.action)
                elif service is not None and service.left:
                    self._news.clear()
                    left = {"left": list(dict.fromkeys(service.left.values()))}
                    service.count_flows(await self.wire.ask("flows", left, dict[str, int]))
                    pause = _LOOK_S if service.left else None
                else:
                    self._news.clear()
            except RouterTrouble as error:
                if service is not None and not self.wire.closed:
                    service.problem = f'cannot use the front of "{self.name}": {error.message}'
                    service.hub.changed()
                pause = _AGAIN_S
            if service is not None and service.left and pause is None:
                pause = _LOOK_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()

    async def _set(self, service: Service, action: SetRoutes) -> SetRoutes:
        ports = tuple(port.port for port in action.ports if port.front)
        shares = () if action.hold else tuple((host_of(route.address), route.weight) for route in action.routes)
        order = Order(ports, shares, action.hold, tuple(dict.fromkeys(service.left.values())))
        done, descriptors = await self.wire.ask_for_descriptors("set", order, Done)
        sockets = {port: [socket.socket(fileno=descriptors.pop(0)) for _ in range(n)] for port, n in done.listening}
        await self.fronts.listen(self, action, sockets)
        service.count_flows(done.open)
        service.settle(action)
        return action


class Fronts:
    """Those of one router process."""

    def __init__(self, router: "RouterProcess") -> None:
        self._router = router
        self._fronts: dict[str, Front] = {}  # by service
        self._boots: dict[str, str] = {}  # the last one of each service
        self._socket: socket.socket | None = None
        self._strangers: set[wire.Wire] = set()  # connected, and not said yet who

    def open(self) -> None:
        """Let keepers connect, in place of any other router. The folder is mounted into their containers alone."""
        self.close_socket()
        folder = self._router.folder / FOLDER
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the router's own folder lets nobody else in; a keeper is no user of this machine
        self._socket = wire.listen(folder, SOCKET, mode=0o666)
        self._router.hub.loop.add_reader(self._socket.fileno(), self._accept)

    def close_socket(self) -> None:
        """Let no more keepers in: they are the next router's."""
        if self._socket is not None:
            self._router.hub.loop.remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def close(self) -> None:
        """Let go of all keepers, which call the next router then."""
        self.close_socket()
        for front in tuple(self._fronts.values()):
            front.close()

    def service(self, name: str) -> Service | None:
        """The service of this name, if anything was asked for it yet."""
        return self._router.services.get(name)

    def changed(self, service: str) -> None:
        """Other routes were asked for."""
        if (front := self._fronts.get(service)) is not None:
            front.changed()

    async def listen(self, front: Front, action: SetRoutes, sockets: dict[int, list[socket.socket]]) -> None:
        """Accept on the sockets that a keeper made, unless another one has taken its place meanwhile."""
        if self._fronts.get(front.name) is not front:
            _close_all(sockets.values())
            raise RouterTrouble("another front has taken its place")
        for port in action.ports:
            listener = self._router.listeners.get(port.place) if port.front else None
            if listener is not None:
                await listener.take(sockets.pop(port.port, []))
        _close_all(sockets.values())

    def _accept(self) -> None:
        assert self._socket is not None, "the socket is open"
        with contextlib.suppress(OSError):
            sock, _ = self._socket.accept()
            self._strangers.add(wire.Wire(sock, self._answer, self._on_end))

    async def _answer(self, end: wire.Wire, message: wire.Message, fds: list[int]) -> tuple[Any, tuple[int, ...]]:
        """A keeper may say who it is, once, and nothing else."""
        for descriptor in fds:
            os.close(descriptor)
        if message.do != "front" or end not in self._strangers:
            raise RouterTrouble(f'cannot do "{message.do}": this is the door for fronts')
        hello = msgspec.json.decode(message.body, type=Hello)
        self._strangers.discard(end)
        before = self._fronts.pop(hello.service, None)
        if before is not None:
            before.close()
        if self._boots.get(hello.service, hello.boot) != hello.boot:
            self._cut(hello.service)
        self._boots[hello.service] = hello.boot
        self._fronts[hello.service] = Front(self, end, hello)
        return None, ()

    def _on_end(self, end: wire.Wire) -> None:
        self._strangers.discard(end)
        for name, front in tuple(self._fronts.items()):
            if front.wire is end:
                del self._fronts[name]
                front.close()
                for listener in self._listeners(name):
                    listener.drop()

    def _listeners(self, service: str) -> list[Any]:
        return [each for each in self._router.listeners.values() if each.port.front == service]

    def _cut(self, service: str) -> None:
        """The network of the front that was there before is gone, and with it every connection made through it."""
        for timed in tuple(self._router.hub.timed):
            listener = getattr(timed, "listener", None)
            if listener is not None and listener.port.front == service:
                timed.transport.abort()  # type: ignore[attr-defined]
        if (known := self.service(service)) is not None:
            known.count_flows(dict.fromkeys(known.left.values(), 0))


def host_of(address: str) -> str:
    """The host of host:port."""
    return address.rpartition(":")[0].strip("[]")


def _close_all(sockets: Iterable[list[socket.socket]]) -> None:
    for each in (sock for group in sockets for sock in group):
        each.close()
