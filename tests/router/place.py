"""A router in the test's own loop, replicas that do as they are told, and a client that sees every byte."""

import asyncio
import functools
import re
import shutil
import socket
import struct
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import uvloop

from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route, Tally
from midair.router.embedded.limits import Limits
from midair.router.embedded.process import RouterProcess

PATIENCE_S = 10.0


def looped(test):
    """Run an async test as the router runs: on uvloop."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        uvloop.run(test(*args, **kwargs))

    return run


async def eventually(condition, what="it"):
    """Wait until a condition holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not happen"
        await asyncio.sleep(0.005)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


async def read_head(reader):
    return await reader.readuntil(b"\r\n\r\n")


async def read_message(reader):
    """A head and its body, if it is framed by a length or by chunks."""
    head = await read_head(reader)
    if length := re.search(rb"(?i)\ncontent-length: *(\d+)", head):
        return head, await reader.readexactly(int(length[1]))
    if re.search(rb"(?i)\ntransfer-encoding: *chunked", head):
        return head, await read_chunks(reader)
    return head, b""


async def read_chunks(reader):
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while await reader.readline() != b"\r\n":
        pass
    return body


def answer(body=b"ok", status="200 OK", extra=b""):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status.encode(), extra, len(body), body)


class Backend:
    """A replica: `serve(self, reader, writer)` is what it does with each connection."""

    def __init__(self, serve=None):
        self.serve = serve or echo
        self.connections = 0
        self.requests = []  # heads
        self._server = None
        self._writers = set()
        self._tasks = set()

    async def start(self, port=0):
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", port, limit=2**20)
        self.listening = self._server.sockets[0]
        self.port = self.listening.getsockname()[1]
        return self

    @property
    def open(self):
        return len(self._writers)

    async def _connected(self, reader, writer):
        self.connections += 1
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())
        try:
            await self.serve(self, reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(asyncio.current_task())
            writer.close()

    def stop_accepting(self):
        self._server.close()

    async def stop(self):
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self):
        """As a killed process does: every connection ends at once."""
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()


async def echo(backend, reader, writer):
    """Answers each request with the request."""
    while True:
        head, body = await read_message(reader)
        backend.requests.append(head)
        writer.write(answer(b"" if head.startswith(b"HEAD ") else head + body))


def says(data, *, then_close=False):
    """Answers every request with these bytes."""

    async def serve(backend, reader, writer):
        while True:
            head, _ = await read_message(reader)
            backend.requests.append(head)
            writer.write(data)
            await writer.drain()
            if then_close:
                return

    return serve


def gated(gate, started=None):
    """Answers once the gate is open."""

    async def serve(backend, reader, writer):
        while True:
            head, _ = await read_message(reader)
            backend.requests.append(head)
            if started is not None:
                started.set()
            await gate.wait()
            writer.write(answer(b"late"))

    return serve


class Client:
    """A raw connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    def send(self, data):
        self.writer.write(data)

    async def answer(self):
        """The next answer: head and body."""
        async with asyncio.timeout(PATIENCE_S):
            return await read_message(self.reader)

    async def ask(self, data):
        self.send(data)
        return await self.answer()

    async def rest(self):
        """Everything until the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def read(self, size):
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(size)

    def close(self):
        self.writer.close()

    def reset(self):
        """Go away without a word, and without what was not sent yet."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Place:
    """A router that listens on `port` for service "web"."""

    def __init__(self, folder, limits):
        self.router = RouterProcess(folder, limits, -1)
        self.port = free_port()
        self.generation = 0
        self.backends = []
        self.clients = []

    @property
    def service(self):
        return self.router.services["web"]

    async def backend(self, serve=None):
        backend = await Backend(serve).start()
        self.backends.append(backend)
        return backend

    async def route(self, *backends, revision="aaaa", protocol="http", weights=(), **fields):
        """Route to these; a backend is known by its place in the list of all."""
        self.generation += 1
        routes = tuple(
            Route(f"web/{getattr(b, 'revision', revision)}/{self.backends.index(b)}", f"127.0.0.1:{b.port}", weight)
            for b, weight in zip(backends, weights or [100] * len(backends), strict=True)
        )
        action = SetRoutes("web", self.generation, routes, ports=(Port(self.port, 80, "127.0.0.1", protocol),))
        await self.router.perform(msgspec.structs.replace(action, **fields))

    async def connect(self):
        self.clients.append(Client(*await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)))
        return self.clients[-1]

    def connection(self):
        """The router's end of the only client's connection."""
        (connection,) = self.router.hub.timed - {self.service}
        return connection

    async def get(self, path="/"):
        """One request on a connection of its own."""
        client = await self.connect()
        try:
            return await client.ask(b"GET %s HTTP/1.1\r\nHost: web\r\n\r\n" % path.encode())
        finally:
            client.close()

    def tally(self):
        total = Tally()
        for count in self.router.observe().counts:
            total = total.plus(count.tally)
        return total

    def inside(self):
        return sum(self.service.seen().open.values())

    def check(self):
        """Every request has one outcome, or is open or waiting."""
        tally, seen = self.tally(), self.service.seen()
        ended = tally.answered + tally.refused + tally.aborted + tally.lost
        assert tally.accepted == ended + sum(seen.open.values()) + seen.held, (tally, seen)

    async def counted(self, **expected):
        """Wait until the counts are these; what is not named is 0."""
        wanted = Tally(**{"accepted": sum(expected.values()), **expected})
        try:
            await eventually(lambda: self.tally() == wanted)
        except AssertionError:
            raise AssertionError(f"counted {self.tally()}, expected {wanted}") from None
        self.check()


@asynccontextmanager
async def placed(**limits):
    """A place, taken down afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="midair-router-"))
    place = Place(folder, Limits(**{"sweep_s": 0.05, "stop_s": 0.1, **limits}))
    try:
        yield place
        place.check()
    finally:
        for client in place.clients:
            client.close()
        for backend in place.backends:
            await backend.stop()
        await place.router.stop(forget=True)
        shutil.rmtree(folder)
