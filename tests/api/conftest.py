"""The API on a real Unix socket, over an engine whose machine and router are fakes, asked by the real client."""

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn
from tests.engine.conftest import Site

from midair.api.app import make_app
from midair.client import Client
from midair.client.home import SOCKET
from midair.daemon.server import Server, listen_here


class Control:
    """Remembers what the daemon was told to do with itself."""

    def __init__(self):
        self.told = []
        self.settings = {}

    def stop(self):
        self.told.append("stop")

    async def restart(self, python):
        self.told.append(f"restart {python}".rstrip())

    async def change_settings(self, wanted):
        self.told.append(f"set {' '.join(sorted(wanted))}")


class Service(threading.Thread):
    """Engine and API in a thread with a loop of its own."""

    def __init__(self, home):
        super().__init__()
        self.site, self.control = Site(home), Control()
        self.ready = threading.Event()

    def run(self):
        asyncio.run(self._run())

    async def _run(self):
        self.loop = asyncio.get_running_loop()
        self.engine = await self.site.begin()
        config = uvicorn.Config(
            make_app(self.engine, self.control), loop="asyncio", ws="none", lifespan="off", log_config=None
        )
        self.server = Server(config)
        listener = listen_here(self.site.home / SOCKET)
        self.loop.call_soon(self.ready.set)
        await self.server.serve(sockets=[listener])
        await self.site.end()

    def end(self, *, comes_again=False):
        """Let followers go, answer what is under way, end."""

        def end():
            self.engine.bus.close(comes_again=comes_again)
            self.server.ended.set()

        self.loop.call_soon_threadsafe(end)
        self.join(20)
        assert not self.is_alive()


@contextmanager
def served(home):
    """A service for a `with` block."""
    service = Service(home)
    service.start()
    assert service.ready.wait(10)
    try:
        yield service
    finally:
        if service.is_alive():
            service.end()


@pytest.fixture
def service(tmp_path):
    with served(tmp_path) as service:
        yield service


@pytest.fixture
def client(service):
    return Client(service.site.home)


def await_follower(begun):
    """Wait until a stream has begun."""
    deadline = time.monotonic() + 10
    while not begun:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def beginnings(client):
    """A list that gets an entry whenever a stream of this client begins."""
    begun, stream = [], client.transport.stream

    def watched(*arguments, **options):
        for name, data in stream(*arguments, **options):
            if name == "here":
                begun.append(data)
            yield name, data

    client.transport.stream = watched
    return begun
