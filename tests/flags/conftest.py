"""A flag server in a thread of its own, on a free port."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest
import uvicorn

from midair.flags.read import build
from midair.flagserver.hub import Hub
from midair.flagserver.routes import application


def eventually(condition, what="it", within=10.0):
    """Waits for a condition; the tests' only way to wait."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {within} s")
        time.sleep(0.005)


class Server:
    """The HTTP routes over a hub. It can be killed and come back on its port."""

    def __init__(self, tokens=None, beat=10.0):
        self.hub = Hub()
        self.tokens = tokens
        self.beat = beat
        self.port = 0
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        listening.listen(2048)
        self.port = listening.getsockname()[1]
        self.listening = listening
        config = uvicorn.Config(
            application(self.hub, self.tokens, beat=self.beat),
            log_level="warning", lifespan="off", timeout_graceful_shutdown=0,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        eventually(lambda: self.server.started, "the server")

    def run(self):
        asyncio.set_event_loop(self.loop)
        with contextlib.suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.server.serve(sockets=[self.listening]))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def stop(self):
        if self.thread.is_alive():
            self.server.should_exit = self.server.force_exit = True
            self.thread.join(10)
        self.listening.close()

    def run_in_loop(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    def publish(self, data, name="shop"):
        """Returns once the set is in force."""
        flags = build(data)

        async def put():
            return self.hub.publish(name, flags)

        return self.run_in_loop(put())


@pytest.fixture
def serve():
    """Starts servers that end with the test."""
    servers = []

    def start(**options):
        servers.append(Server(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve):
    return serve()


@pytest.fixture(name="eventually")
def _eventually():
    return eventually


@pytest.fixture
def button():
    """A set with one flag that a share of users, in percent, gets."""

    def make(percent, **others):
        flag = {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": {"fractional": [["on", percent], ["off", 100 - percent]]},
        }
        return {"flags": {"new-button": flag, **others}, "x-midair": {"fractional": "v3"}}

    return make
