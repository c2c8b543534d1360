"""Fronts as the router sees them: a keeper calls, is told ports and replicas, and hands over sockets."""

import asyncio
import json
import os
import signal
import socket
from contextlib import asynccontextmanager

import pytest
from tests.router.place import Backend, eventually, free_port, looped
from tests.router.test_survival import GET, connect, is_running

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route
from midair.router.embedded.fronts import FOLDER, SOCKET
from midair.router.embedded.router import EmbeddedRouter
from midair.router.embedded.wire import Wire

pytestmark = pytest.mark.e2e


class Keeper:
    """What a front does, without a container: its sockets are on loopback, and it has no rules."""

    def __init__(self, folder, boot="first"):
        self.folder, self.boot = folder / FOLDER / SOCKET, boot
        self.sockets, self.orders = {}, []
        self.flows = {}
        self.answers = asyncio.Event()
        self.answers.set()
        self.task = asyncio.create_task(self.run())

    async def run(self):
        while True:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.setblocking(False)
                try:
                    await asyncio.get_running_loop().sock_connect(sock, str(self.folder))
                    await self.serve(sock)
                except OSError:
                    pass
            await asyncio.sleep(0.02)

    async def serve(self, sock):
        loop = asyncio.get_running_loop()
        hello = {"do": "front", "body": {"service": "web", "boot": self.boot}}
        await loop.sock_sendall(sock, json.dumps(hello).encode() + b"\n")
        unread = b""
        while data := await loop.sock_recv(sock, 65536):
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                asked = json.loads(line)
                if asked.get("do"):
                    await self.answers.wait()
                    self.answer(sock, asked)

    def answer(self, sock, asked):
        body, fds = asked["body"], []
        done = {address: self.flows.get(address, 0) for address in body["left"]}
        if asked["do"] == "set":
            self.orders.append(body)
            for port in body["ports"]:
                if port not in self.sockets:
                    self.sockets[port] = socket.create_server(("127.0.0.1", port))
                    self.sockets[port].setblocking(False)
            for port in set(self.sockets) - set(body["ports"]):
                self.sockets.pop(port).close()
            done = {"listening": [[port, 1] for port in body["ports"]], "open": done}
            fds = [self.sockets[port].fileno() for port in body["ports"]]
        answer = json.dumps({"id": asked["id"], "body": done, "fds": len(fds)}).encode() + b"\n"
        socket.send_fds(sock, [answer], fds)

    async def end(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        for sock in self.sockets.values():
            sock.close()


def routes(generation, port, *backends, **more):
    found = tuple(Route(f"web/aaaa/{b.port}", f"127.0.0.1:{b.port}") for b in backends)
    return SetRoutes(
        "web", generation, found, ports=(Port(port, 80, inside=True, front="web"),), front=True, drain_timeout_s=1,
        **more,
    )  # fmt: skip


@asynccontextmanager
async def fronted(folder):
    """A router, a replica, a keeper and the port in its front."""
    router, backend, port = EmbeddedRouter(folder), await Backend().start(), free_port()
    await router.open()
    keeper = Keeper(folder)
    try:
        yield router, backend, keeper, port
    finally:
        await keeper.end()
        await backend.stop()
        await router.stop()
        await router.close()


async def settled(router):
    route = (await router.observe()).routes.get("web")
    return route.settled if route is not None else 0


async def settles(router, generation):
    async with asyncio.timeout(10):
        while await settled(router) != generation:  # noqa: ASYNC110 - another process decides
            await asyncio.sleep(0.02)


async def ask(port):
    client = await connect(port)
    try:
        return (await client.ask(GET))[1]
    finally:
        client.close()


@looped
async def test_requests_come_through_sockets_of_the_keeper(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        assert (await ask(port)).startswith(b"GET / ")
        assert keeper.orders[-1]["shares"] == [["127.0.0.1", 100]]


@looped
async def test_routes_settle_only_when_the_front_has_them(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        keeper.answers.clear()
        await router.perform(routes(2, port, hold=True))
        await asyncio.sleep(0.2)
        seen = (await router.observe()).routes["web"]
        assert (seen.settled, len(seen.routes)) == (1, 1)
        keeper.answers.set()
        await settles(router, 2)


@looped
async def test_flows_past_the_router_count_as_open(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        other = await Backend().start()
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        keeper.flows = {"127.0.0.1": 2}
        await router.perform(routes(2, port, hold=True))
        await settles(router, 2)
        replica = f"web/aaaa/{backend.port}"
        assert (await router.observe()).routes["web"].open == {replica: 2}
        keeper.flows = {}
        async with asyncio.timeout(5):
            while (await router.observe()).routes["web"].open:  # noqa: ASYNC110 - another process decides
                await asyncio.sleep(0.02)
        await other.stop()


@looped
async def test_connections_wait_in_the_front_of_a_dead_router(tmp_path):
    async with fronted(tmp_path) as (router, backend, _keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        os.kill((await router.observe()).pid, signal.SIGKILL)
        bodies = await asyncio.gather(*(ask(port) for _ in range(20)))
        assert all(body.startswith(b"GET / ") for body in bodies)


@looped
async def test_flows_are_not_forgotten_with_a_router(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        keeper.flows = {"127.0.0.1": 2}
        await router.perform(routes(2, port, hold=True))
        await settles(router, 2)
        os.kill((await router.observe()).pid, signal.SIGKILL)
        keeper.answers.clear()
        await asyncio.sleep(0.3)
        assert sum((await router.observe()).routes["web"].open.values()) > 0, "unknown is not zero"
        keeper.answers.set()


@looped
async def test_restarted_router_gets_the_sockets_of_the_front(tmp_path):
    async with fronted(tmp_path) as (router, backend, _keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        old = (await router.observe()).pid
        await router.restart()
        bodies = await asyncio.gather(*(ask(port) for _ in range(20)))
        assert all(body.startswith(b"GET / ") for body in bodies)
        await eventually(lambda: not is_running(old))
        await settles(router, 1)


@looped
async def test_connections_through_a_dead_front_are_cut(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await router.perform(routes(1, port, backend))
        await settles(router, 1)
        client = await connect(port)
        await client.ask(GET)
        await keeper.end()
        fresh = Keeper(tmp_path, boot="second")
        try:
            async with asyncio.timeout(5):
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await client.reader.readexactly(1)
            async with asyncio.timeout(5):
                while not fresh.orders:  # noqa: ASYNC110 - another process decides
                    await asyncio.sleep(0.02)
            assert (await ask(port)).startswith(b"GET / ")
        finally:
            client.close()
            await fresh.end()


@looped
async def test_door_of_fronts_answers_nothing_else(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await router.perform(routes(1, port, backend))
        for do in ("observe", "stop", "perform", "listener", "offer"):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / FOLDER / SOCKET))
            writer.write(json.dumps({"id": 1, "do": do}).encode() + b"\n")
            assert "this is the door for fronts" in json.loads(await reader.readline())["error"]
            writer.close()
        assert keeper is not None
        assert (await router.observe()).routes["web"].routes


@looped
async def test_port_of_a_front_is_free_on_this_machine(tmp_path):
    async with fronted(tmp_path) as (router, backend, keeper, port):
        await keeper.end()
        await router.perform(routes(1, port, backend))
        with socket.create_server(("127.0.0.1", port)):
            assert await settled(router) == 0


@looped
async def test_older_router_is_replaced_before_it_gets_a_front(tmp_path, monkeypatch):
    async with fronted(tmp_path) as (router, backend, _keeper, port):
        old, asked = (await router.observe()).pid, Wire.ask

        async def ask_older(self, do, *args, **more):
            if do == "fronts":
                raise RouterTrouble('cannot do "fronts": this router does not know how')
            return await asked(self, do, *args, **more)

        monkeypatch.setattr(Wire, "ask", ask_older)
        await router.perform(routes(1, port, backend))
        assert (await router.observe()).pid != old
        await settles(router, 1)
