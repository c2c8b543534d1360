"""The router process: it outlives its daemon, comes back after `kill -9`, and is replaced without a loss."""

import asyncio
import contextlib
import os
import resource
import signal
import struct
import time
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.router.place import Backend, Client, answer, eventually, free_port, looped, read_head, read_message, says
from tests.router.test_tunnel import UPGRADE, WebSockets, frame, read_frame

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route, Tally
from midair.router.embedded.limits import Limits
from midair.router.embedded.router import EmbeddedRouter

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
pytestmark = pytest.mark.e2e


def action(generation, port, *backends, **fields):
    routes = tuple(Route(f"web/aaaa/{n}", f"127.0.0.1:{backend.port}") for n, backend in enumerate(backends))
    made = SetRoutes("web", generation, routes, ports=(Port(port, 80),))
    return msgspec.structs.replace(made, **fields)


async def connect(port):
    return Client(*await asyncio.open_connection("127.0.0.1", port))


def slow_until(gate):
    """An application whose answers to /slow wait for the gate."""

    async def serve(backend, reader, writer):
        while True:
            head, _ = await read_message(reader)
            if b"/slow" in head:
                await gate.wait()
            writer.write(answer(b"ok"))

    return serve


@asynccontextmanager
async def routing(folder, serve=None, **limits):
    """A router process with one replica, and the port it listens on."""
    router, backend, port = EmbeddedRouter(folder, Limits(**limits)), await Backend(serve).start(), free_port()
    await router.open()
    pids = {(await router.observe()).pid}
    try:
        await router.perform(action(1, port, backend))
        yield router, backend, port
        pids.add((await router.observe()).pid)
    finally:
        await backend.stop()
        await router.stop()
        await router.close()
    await eventually(lambda: not any(is_running(pid) for pid in pids))


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().split()[2] != "Z"
    except FileNotFoundError:
        return False


async def total(router):
    tally = Tally()
    for count in (await router.observe()).counts:
        tally = tally.plus(count.tally)
    return tally


async def reaches(router, wanted):
    """Wait until the counts are these."""
    deadline = time.monotonic() + 10
    tally = None
    while tally != wanted:
        assert time.monotonic() < deadline, tally
        await asyncio.sleep(0.02)
        with contextlib.suppress(RouterTrouble):  # it may just have been killed
            tally = await total(router)


@looped
async def test_it_outlives_those_who_use_it(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        client = await connect(port)
        await client.ask(GET)
        before = await router.observe()
        await router.close()
        await client.ask(GET)
        other = EmbeddedRouter(tmp_path)
        await other.open()
        after = await other.observe()
        assert (after.pid, after.started_at) == (before.pid, before.started_at)
        assert await total(other) == Tally(2, 2)
        await other.close()
        client.close()
        await router.open()


@looped
async def test_killed_it_is_back_within_a_second_with_the_same_routes_and_says_what_was_lost(tmp_path):
    gate = asyncio.Event()
    async with routing(tmp_path, slow_until(gate)) as (router, _backend, port):
        for _ in range(5):
            client = await connect(port)
            await client.ask(GET)
            client.close()
        inside = [await connect(port) for _ in range(3)]
        for client in inside:
            client.send(b"GET /slow HTTP/1.1\r\nHost: web\r\n\r\n")
        await reaches(router, Tally(8, 5))
        nudged = asyncio.Event()
        router.on_change(nudged.set)
        seen = await router.observe()
        os.kill(seen.pid, signal.SIGKILL)
        began = time.monotonic()
        while True:
            try:
                client = await connect(port)
                assert (await client.ask(GET))[1] == b"ok"
                break
            except (ConnectionError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.005)
        assert time.monotonic() - began < 1.0
        await asyncio.wait_for(nudged.wait(), 5)
        again = await router.observe()
        assert again.pid != seen.pid
        assert again.routes["web"].routes == seen.routes["web"].routes
        assert again.routes["web"].settled == 1
        assert await total(router) == Tally(accepted=9, answered=6, lost=3)
        for one in [client, *inside]:
            one.close()
        gate.set()


@looped
async def test_killed_again_and_again_it_comes_back_every_time(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        for number in range(3):
            os.kill((await router.observe()).pid, signal.SIGKILL)
            answered = False
            while not answered:
                try:
                    client = await connect(port)
                except ConnectionError:
                    await asyncio.sleep(0.01)
                    continue
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await client.ask(GET)
                    answered = True
                client.close()
            assert (await total(router)).answered == number + 1


@looped
async def test_a_second_router_is_not_started_beside_a_living_one(tmp_path):
    async with routing(tmp_path) as (_router, _backend, _port):
        (tmp_path / "router.sock").rename(tmp_path / "hidden")
        other = EmbeddedRouter(tmp_path)
        with pytest.raises(Exception, match="cannot start the router"):
            await other.open()
        await other.close()
        (tmp_path / "hidden").rename(tmp_path / "router.sock")


@looped
async def test_its_files_are_for_their_owner_alone(tmp_path):
    folder = tmp_path / ("deep" * 20) / ("er" * 40)
    async with routing(folder):
        # Keepers of fronts reach theirs from inside a container; the folder around it lets nobody else in.
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.name != "fronts"}
        assert set(modes.values()) == {0o600}
        assert {"router.sock", "router.json", "router.log"} <= set(modes)
        assert folder.stat().st_mode & 0o777 == 0o700


@looped
async def test_stopped_it_listens_no_more_and_forgets_its_routes_but_not_its_counts(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        client = await connect(port)
        await client.ask(GET)
        client.close()
        await router.stop()
        with pytest.raises(ConnectionError):
            await connect(port)
        await router.open()
        seen = await router.observe()
        assert not seen.routes
        assert await total(router) == Tally(1, 1)


@looped
async def test_ports_are_checked_without_touching_them(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        free = free_port()
        problems = await router.check(
            (Port(port, 1), Port(free, 1), Port(backend.port, 1), Port(53, 53, protocol="udp"))
        )
        assert problems[0].startswith(f'cannot listen on port "{backend.port}": address already in use by ')
        assert problems[1:] == ('cannot listen on port "53": the embedded router does not route udp',)


@looped
async def test_replaced_it_loses_nothing_and_nobody_notices(tmp_path):
    async def serve(backend, reader, writer):
        while True:
            head, _ = await read_message(reader)
            if b"/slow" in head:
                await asyncio.sleep(0.3)
            writer.write(answer(b"ok"))

    async with routing(tmp_path, serve) as (router, backend, port):
        asked, stop = 0, asyncio.Event()

        async def load(path, pause, renew):
            nonlocal asked
            client = await connect(port)
            while not stop.is_set():
                asked += 1
                head, body = await client.ask(b"GET %s HTTP/1.1\r\nHost: web\r\n\r\n" % path)
                assert (head[:12], body) == (b"HTTP/1.1 200", b"ok")
                assert b"Connection: close" not in head
                if renew:
                    client.close()
                    client = await connect(port)
                await asyncio.sleep(pause)
            client.close()

        loads = [asyncio.create_task(load(*kind)) for kind in
                 [(b"/", 0.001, False), (b"/", 0.001, True), (b"/slow", 0, False), (b"/", 0.2, False)] * 3]  # fmt: skip
        pids = set()
        for generation in range(2, 6):
            await asyncio.sleep(0.15)
            pids.add((await router.observe()).pid)
            await router.restart()
            await router.perform(action(generation, port, backend))
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*loads)
        assert asked > 100
        assert len(pids) == 4
        await reaches(router, Tally(asked, asked))
        await eventually(lambda: not any(is_running(pid) for pid in pids))
        assert await total(router) == Tally(asked, asked)
        assert (await router.observe()).routes["web"].settled == 5
        assert len(list(tmp_path.glob("*.counts"))) == 1


class Busy(asyncio.Protocol):
    """A client that asks again as soon as it is answered."""

    def __init__(self, seen):
        self.seen, self.left = seen, 0

    def connection_made(self, transport):
        self.transport = transport
        self.seen["open"].add(self)
        self.ask()

    def ask(self):
        self.left = len(answer(b"ok"))
        self.seen["asked"] += 1
        self.transport.write(GET)

    def data_received(self, data):
        self.left -= len(data)
        if self.left == 0 and not self.seen["stop"]:
            self.ask()
        elif self.left == 0:
            self.seen["open"].discard(self)
            self.transport.close()

    def connection_lost(self, exc):
        self.seen["closed"] += 1
        if self in self.seen["open"]:
            self.seen["cut"] += 1


@looped
async def test_replaced_again_before_the_last_one_is_gone_it_still_cuts_none_of_many_busy_connections(tmp_path):
    async with routing(tmp_path, says(answer(b"ok"))) as (router, backend, port):
        seen, loop = {"open": set(), "asked": 0, "cut": 0, "closed": 0, "stop": False}, asyncio.get_running_loop()
        for _ in range(150):
            await loop.create_connection(lambda: Busy(seen), "127.0.0.1", port)
        for generation in range(2, 6):
            await router.restart()
            await router.perform(action(generation, port, backend))
        seen["stop"] = True
        await eventually(lambda: seen["closed"] == 150)
        assert seen["cut"] == 0
        await reaches(router, Tally(seen["asked"], seen["asked"]))


@looped
async def test_replaced_it_still_ends_websockets_politely_and_its_requests_are_seen_inside(tmp_path):
    async with routing(tmp_path, WebSockets()) as (router, _backend, port):
        client = await connect(port)
        client.send(UPGRADE)
        await read_head(client.reader)
        old = (await router.observe()).pid
        await router.restart()
        assert (await router.observe()).routes["web"].open == {"web/aaaa/0": 1}
        client.send(frame(b"hello", masked=True))
        assert await read_frame(client.reader) == (1, b"hello")
        await router.perform(action(2, port, drain_timeout_s=0.2))
        assert (await router.observe()).routes["web"].open == {"web/aaaa/0": 1}
        opcode, payload = await read_frame(client.reader)
        assert (opcode, payload[:2]) == (8, struct.pack("!H", 1012))
        client.send(frame(payload, 8, masked=True))
        assert await client.rest() == b""
        await eventually(lambda: not is_running(old))
        await reaches(router, Tally(1, 1))
        assert (await router.observe()).routes["web"].open == {}
        client.close()


@looped
async def test_the_successor_is_killed_and_the_counts_of_both_are_kept(tmp_path):
    async with routing(tmp_path, WebSockets()) as (router, _backend, port):
        client = await connect(port)
        client.send(UPGRADE)
        await read_head(client.reader)
        first = (await router.observe()).pid
        await router.restart()
        second = (await router.observe()).pid
        os.kill(second, signal.SIGKILL)
        await eventually(lambda: not is_running(second))
        assert (await router.observe()).pid not in (first, second)
        client.send(frame(b"still there", masked=True))
        assert await read_frame(client.reader) == (1, b"still there")
        assert await total(router) == Tally(1)
        client.send(frame(b"", 8, masked=True))
        await client.rest()
        client.close()
        await eventually(lambda: not is_running(first))
        assert await total(router) == Tally(1, 1)
        os.kill((await router.observe()).pid, signal.SIGKILL)
        await reaches(router, Tally(1, 1))


@pytest.mark.slow
@looped
async def test_ten_thousand_idle_connections_cost_little(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10_500:
        pytest.skip(f"only {hard} descriptors are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients = []
    try:
        async with routing(tmp_path) as (router, _backend, port):
            pid = (await router.observe()).pid
            before = memory(pid)
            for _ in range(100):
                clients += await asyncio.gather(*(connect(port) for _ in range(100)))
            client, began = await connect(port), time.monotonic()
            clients.append(client)
            for _ in range(200):
                await client.ask(GET)
            assert time.monotonic() - began < 5
            assert await total(router) == Tally(200, 200)
            assert (memory(pid) - before) / 10_000 < 16_000, "bytes for each"
            await router.restart()
            await eventually(lambda: not is_running(pid))
            for client in clients[::500]:
                assert (await client.ask(GET))[0].startswith(b"HTTP/1.1 200")
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
