"""A router takes the place of another one, and something dies or is in doubt on the way."""

import asyncio
import os
import signal

import pytest
from tests.router.place import eventually, looped
from tests.router.test_held_sockets import ask
from tests.router.test_survival import GET, action, connect, is_running, reaches, routing, slow_until, total

from midair.errors import RouterTrouble
from midair.model.project import Port
from midair.model.seen import Tally
from midair.router.embedded import spawn, wire
from midair.router.embedded.counts import Book
from midair.router.embedded.handover import Offer
from midair.router.embedded.limits import Limits
from midair.router.embedded.record import ACCEPTED, STATUS
from midair.router.embedded.router import EmbeddedRouter
from midair.router.embedded.spawn import start_process

pytestmark = pytest.mark.e2e


class Heir:
    """What a successor says, step by step."""

    def __init__(self, folder):
        self.wire = wire.Wire(wire.connect(folder), self._hear, lambda end: None)

    async def _hear(self, end, message, descriptors):
        return None, ()

    async def offer(self):
        _, descriptors = await self.wire.ask_for_descriptors("offer", None, Offer)
        for descriptor in descriptors:
            os.close(descriptor)

    async def retire(self):
        await self.wire.ask("retire", None, type(None))


@looped
async def test_a_control_plane_that_dies_meanwhile_takes_no_router_with_it(tmp_path, monkeypatch):
    async with routing(tmp_path) as (router, _backend, port):
        old = (await router.observe()).pid
        await router.close()
        with monkeypatch.context() as patch:
            patch.setattr(spawn, "_START_S", 0)  # nobody waits for the new one
            with pytest.raises(RouterTrouble, match="cannot start the router"):
                await start_process(tmp_path, Limits(), "--takeover")
        await eventually(lambda: not is_running(old))
        assert await ask(port)
        await router.open()
        assert (await router.observe()).deaths == ()


@looped
async def test_there_is_one_successor_at_a_time_and_only_that_one_makes_it_retire(tmp_path):
    async with routing(tmp_path) as (_router, _backend, port):
        one, other = Heir(tmp_path), Heir(tmp_path)
        await one.offer()
        with pytest.raises(RouterTrouble, match="another one is about to"):
            await other.offer()
        with pytest.raises(RouterTrouble, match="retire"):
            await other.retire()
        one.wire.close()
        await eventually_offered(other)
        other.wire.close()
        assert await ask(port)


async def eventually_offered(heir):
    """The router notices soon that the one before is gone."""
    while True:
        try:
            return await heir.offer()
        except RouterTrouble:
            await asyncio.sleep(0.01)


@looped
async def test_http_connections_of_a_port_inside_the_project_stay_http(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        inside = Port(port, 80, "127.0.0.1", inside=True)
        await router.perform(action(2, port, backend, ports=(inside,)))
        client = await connect(port)
        await client.ask(GET)
        old = (await router.observe()).pid
        await router.restart()
        await eventually(lambda: not is_running(old))
        await asyncio.sleep(1.2)  # silent for so long, a new connection would be one that waits to be spoken to
        assert await total(router) == Tally(1, 1)
        await client.ask(GET)
        await reaches(router, Tally(2, 2))
        client.close()


@looped
async def test_a_successor_that_dies_before_it_has_taken_over_leaves_no_trace(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        before = await router.observe()
        heir = Heir(tmp_path)
        await heir.offer()
        admin = wire.listen(tmp_path)  # in the place of the router's
        admin.close()
        heir.wire.close()
        await eventually(lambda: is_reachable(tmp_path), "a way to reach the router")
        await router.close()
        await router.open()
        after = await router.observe()
        assert (after.pid, after.deaths) == (before.pid, ())
        await router.restart()
        assert (await router.observe()).pid != before.pid
        assert await ask(port)


def is_reachable(folder):
    try:
        wire.connect(folder).close()
    except OSError:
        return False
    return True


@looped
async def test_a_successor_lives_on_when_the_one_before_dies_instead_of_retiring(tmp_path):
    gone = asyncio.Event()

    async def dies(end, message, descriptors):
        if message.do == "offer":
            lock = os.open(tmp_path / "router.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
            return Offer((), 0, ""), (lock,)
        assert message.do == "retire"
        gone.set()
        end.close()
        return None, ()

    admin = wire.listen(tmp_path)
    starting = asyncio.create_task(start_process(tmp_path, Limits(), "--takeover"))
    sock, _ = await asyncio.get_running_loop().sock_accept(admin)
    wire.Wire(sock, dies, lambda end: None)
    await asyncio.wait_for(gone.wait(), 10)
    admin.close()
    await starting
    router = EmbeddedRouter(tmp_path)
    await router.open()
    assert (await router.observe()).pid != os.getpid()
    await router.stop()
    await router.close()


@looped
async def test_a_connection_that_has_not_said_yet_what_it_speaks_is_not_cut(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        await router.perform(action(2, port, backend, ports=(Port(port, 80, "127.0.0.1", inside=True),)))
        client = await connect(port)
        await router.restart()
        assert (await client.ask(GET))[0].startswith(b"HTTP/1.1 200")
        client.close()
        await reaches(router, Tally(1, 1))


@looped
async def test_what_a_router_counts_that_was_told_to_leave_is_seen_beside_the_next_ones(tmp_path):
    gate = asyncio.Event()
    async with routing(tmp_path, slow_until(gate)) as (router, _backend, port):
        await ask(port)
        client = await connect(port)
        client.send(b"GET /slow HTTP/1.1\r\nHost: web\r\n\r\n")
        await reaches(router, Tally(2, 1))
        old = (await router.observe()).pid
        os.kill(old, signal.SIGTERM)
        await ask(port)
        assert (await router.observe()).pid != old
        assert await total(router) == Tally(3, 2)
        gate.set()
        assert (await client.answer())[1] == b"ok"
        await eventually(lambda: not is_running(old))
        assert await total(router) == Tally(3, 3)
        client.close()
        await eventually(lambda: len(list(tmp_path.glob("*.counts"))) == 1)
        assert await total(router) == Tally(3, 3)
        assert (await router.observe()).deaths[1:] == ()


@looped
async def test_what_was_inside_one_that_died_with_nobody_beside_it_is_lost_and_told(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        await ask(port)
        book = Book(tmp_path / "router-9.counts")
        assert book.lock()
        book.count("web", "aaaa")[ACCEPTED] += 3
        book.count("web", "aaaa")[STATUS + 2] += 1
        assert await total(router) == Tally(4, 2)
        book.close()
        await reaches(router, Tally(4, 2, lost=2))
        [death] = (await router.observe()).deaths
        assert (death.lost, death.refused) == (2, False)
        assert not book.path.exists()


@looped
async def test_the_counts_of_three_routers_in_a_row_are_each_counted_once(tmp_path):
    gate, clients, pids = asyncio.Event(), [], []
    async with routing(tmp_path, slow_until(gate)) as (router, _backend, port):
        for number in range(1, 4):
            clients.append(await connect(port))
            clients[-1].send(b"GET /slow HTTP/1.1\r\nHost: web\r\n\r\n")
            await reaches(router, Tally(number))
            pids.append((await router.observe()).pid)
            await router.restart()
            assert await total(router) == Tally(number)
        os.kill(pids[1], signal.SIGKILL)  # the first one goes on, and its successor is dead
        await reaches(router, Tally(3, lost=1))
        gate.set()
        for client in (clients[0], clients[2]):
            assert (await client.answer())[1] == b"ok"
        for client in clients:
            client.close()
        await eventually(lambda: not any(is_running(pid) for pid in pids))
        await reaches(router, Tally(3, 2, lost=1))
        await eventually(lambda: len(list(tmp_path.glob("*.counts"))) == 1)
        assert await total(router) == Tally(3, 2, lost=1)
