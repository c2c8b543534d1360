"""The embedded router and the fake one keep the contract of routers."""

import asyncio
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
import uvloop
from tests.router.place import Backend, Client, answer, eventually, free_port, read_message

from midair.model.project import Port
from midair.model.seen import Route
from midair.router.embedded.router import EmbeddedRouter
from midair.testing.router import FakeGate, FakeRouter
from midair.testing.router_contract import RouterContract


class FakeHarness:
    def __init__(self):
        self.gate = FakeGate()

    def router(self):
        return FakeRouter(self.gate)

    async def route(self, replica):
        return Route(replica, "127.0.0.1:1")

    async def port(self, *, taken=False):
        if taken:
            self.gate.taken[2] = "address already in use"
        return Port(2 if taken else 1, 80)

    async def begin(self, replica, port):
        self.gate.begin(replica)

    async def end(self, replica):
        self.gate.end(replica)

    async def close(self):
        pass


class TestFake(RouterContract):
    def harness(self, folder):
        return FakeHarness()


class EmbeddedHarness:
    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="midair-router-"))
        self.backends, self.gates, self.clients, self.sockets = {}, {}, [], []

    def router(self):
        return EmbeddedRouter(self.folder)

    async def route(self, replica):
        if replica not in self.backends:
            gate = self.gates[replica] = asyncio.Semaphore(0)

            async def serve(backend, reader, writer):
                while True:
                    head, _ = await read_message(reader)
                    backend.requests.append(head)
                    await gate.acquire()
                    writer.write(answer(b"ok"))

            self.backends[replica] = await Backend(serve).start()
        return Route(replica, f"127.0.0.1:{self.backends[replica].port}")

    async def port(self, *, taken=False):
        if not taken:
            return Port(free_port(), 80)
        self.sockets.append(socket.create_server(("127.0.0.1", 0)))
        return Port(self.sockets[-1].getsockname()[1], 80, "127.0.0.1")

    async def begin(self, replica, port):
        backend = self.backends[replica]
        before = len(backend.requests)
        client = Client(*await asyncio.open_connection("127.0.0.1", port.port))
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        self.clients.append(client)
        await eventually(lambda: len(backend.requests) > before)

    async def end(self, replica):
        self.gates[replica].release()

    async def close(self):
        for client in self.clients:
            client.close()
        for backend in self.backends.values():
            await backend.stop()
        for sock in self.sockets:
            sock.close()
        shutil.rmtree(self.folder)


@pytest.mark.e2e
class TestEmbedded(RouterContract):
    def harness(self, folder):
        return EmbeddedHarness()

    def run(self, main):
        uvloop.run(main)


class TestEmbeddedOnAsyncio(TestEmbedded):
    def run(self, main):
        asyncio.run(main)
