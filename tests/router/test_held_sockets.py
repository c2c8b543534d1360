"""The control plane holds the listening sockets too: a router that dies refuses nobody, one that leaves does."""

import asyncio
import os
import signal
import time

import pytest
from tests.router.place import eventually, free_port, looped
from tests.router.test_survival import GET, action, connect, is_running, reaches, routing, slow_until, total

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route, Tally
from midair.router.embedded import router as routers
from midair.router.embedded import wire
from midair.router.embedded.router import EmbeddedRouter

pytestmark = pytest.mark.e2e


async def kill(router):
    """kill -9 its process. It is dead afterwards, and nobody has had the time to notice."""
    pid = (await router.observe()).pid
    os.kill(pid, signal.SIGKILL)
    while is_running(pid):
        time.sleep(0.001)  # noqa: ASYNC251 - nothing else is to happen meanwhile


async def ask(port):
    """The body that a new connection gets."""
    client = await connect(port)
    try:
        return (await client.ask(GET))[1]
    finally:
        client.close()


async def is_refused(port):
    """Whether a new connection is refused at once."""
    try:
        client = await connect(port)
    except ConnectionRefusedError:
        return True
    client.close()
    return False


@looped
async def test_whoever_comes_while_the_router_is_dead_waits_and_is_answered(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        for number in range(1, 4):
            await kill(router)
            bodies = await asyncio.gather(*(ask(port) for _ in range(20)))
            assert all(body.startswith(b"GET / ") for body in bodies)
            assert await total(router) == Tally(20 * number, 20 * number)


@looped
async def test_a_death_is_told_with_what_was_inside_and_that_nobody_was_refused(tmp_path):
    gate = asyncio.Event()
    async with routing(tmp_path, slow_until(gate)) as (router, _backend, port):
        assert (await router.observe()).deaths == ()
        inside = [await connect(port) for _ in range(3)]
        for client in inside:
            client.send(b"GET /slow HTTP/1.1\r\nHost: web\r\n\r\n")
        await reaches(router, Tally(3))
        await kill(router)
        assert await ask(port) == b"ok"
        [death] = (await router.observe()).deaths
        assert (death.lost, death.refused) == (3, False)
        assert 0 < death.took_s < 5
        await router.restart()
        assert (await router.observe()).deaths == (death,), "a restart is no death"
        for client in inside:
            client.close()
        gate.set()


@looped
async def test_one_that_still_lets_in_while_it_dies_is_not_taken_for_the_next_one(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        await kill(router)
        dying = wire.listen(tmp_path)
        answered = asyncio.create_task(ask(port))
        await asyncio.sleep(0.2)  # the control plane is let in, and asks
        dying.close()
        async with asyncio.timeout(8):
            assert await answered
        assert (await router.observe()).deaths[-1].took_s < 8


@looped
async def test_each_death_is_told_also_when_nobody_looked_in_between(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        for _ in range(3):
            await kill(router)
            assert await ask(port)
        deaths = (await router.observe()).deaths
        assert len({death.back_at for death in deaths}) == 3


@looped
async def test_without_a_control_plane_connections_are_refused_and_that_is_told(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        pid = (await router.observe()).pid
        await router.close()
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not is_running(pid))
        assert await is_refused(port)
        await router.open()
        [death] = (await router.observe()).deaths
        assert (death.took_s, death.refused, death.lost) == (None, True, 0)
        assert await ask(port)


@looped
async def test_the_next_control_plane_holds_them_too(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        await router.close()
        other = EmbeddedRouter(tmp_path)
        await other.open()
        await kill(other)
        assert await ask(port)
        assert not (await other.observe()).deaths[-1].refused
        await other.close()
        await router.open()


@looped
async def test_so_they_are_held_after_a_restart_of_the_router(tmp_path):
    async with routing(tmp_path) as (router, _backend, port):
        await router.restart()
        await kill(router)
        assert await ask(port)
        assert not (await router.observe()).deaths[-1].refused


@looped
async def test_a_port_that_is_left_refuses_at_once(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        other = free_port()
        await router.perform(action(2, other, backend))
        assert await is_refused(port)
        assert await ask(other)
        await router.stop()
        assert await is_refused(other)
        await router.open()
        assert (await router.observe()).deaths == (), "it was told to stop"


@looped
async def test_a_port_may_go_to_another_service_at_once(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        for number in range(2, 6):
            one, other = ("web", "api") if number % 2 else ("api", "web")
            routes = (Route(f"{one}/aaaa/0", f"127.0.0.1:{backend.port}"),)
            await router.perform(SetRoutes(other, number))
            await router.perform(SetRoutes(one, number, routes, ports=(Port(port, 80),)))
            assert await ask(port)
        await kill(router)
        assert await ask(port)


@looped
async def test_a_port_is_handed_over_with_its_connections(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        client = await connect(port)
        assert (await client.ask(GET))[1]
        routes = (Route("api/aaaa/0", f"127.0.0.1:{backend.port}"),)
        await router.perform(SetRoutes("api", 1, routes, ports=(Port(port, 80),)))
        assert (await client.ask(GET))[1]
        await router.perform(SetRoutes("web", 2))
        assert (await client.ask(GET))[1]
        counts = {one.service: one.tally.answered for one in (await router.observe()).counts if one.tally.answered}
        assert counts == {"web": 1, "api": 2}
        await kill(router)
        assert await ask(port)
        client.close()


@looped
async def test_a_port_may_be_narrowed_to_an_address_and_widened_again(tmp_path):
    async with routing(tmp_path) as (router, backend, port):
        routes = (Route("web/aaaa/0", f"127.0.0.1:{backend.port}"),)
        for generation, host in enumerate(["127.0.0.1", "", "0.0.0.0", "127.0.0.1", ""], 2):
            assert await router.check((Port(port, 80, host),)) == ()
            await router.perform(SetRoutes("web", generation, routes, ports=(Port(port, 80, host),)))
            assert await ask(port)
        await kill(router)
        assert await ask(port)


@looped
async def test_what_is_held_is_what_is_listened_on_however_ports_change_side_by_side(tmp_path):
    async with routing(tmp_path) as (router, backend, _port):
        names = [f"s{number}" for number in range(6)]
        ports = {name: [free_port() for _ in range(3)] for name in names}

        async def change(name):
            one, two, three = ports[name]
            for generation, wanted in enumerate([(one, two), (two, three), (three,), (one,)], 1):
                routes = (Route(f"{name}/aaaa/0", f"127.0.0.1:{backend.port}"),)
                made = SetRoutes(name, generation, routes, ports=tuple(Port(each, 80) for each in wanted))
                await router.perform(made)

        await asyncio.gather(*map(change, names))
        await kill(router)
        for name in names:
            assert await ask(ports[name][0])
            assert [await is_refused(port) for port in ports[name][1:]] == [True, True]


@looped
async def test_when_no_router_can_be_started_nobody_is_let_wait(tmp_path, monkeypatch):
    async with routing(tmp_path) as (router, _backend, port):
        with monkeypatch.context() as patch:

            async def fail(*_, **__):
                raise RouterTrouble("cannot start the router: no memory")

            patch.setattr(routers, "start_process", fail)
            patch.setattr(routers, "_HELD_MOST_S", 0.2)
            await kill(router)
            async with asyncio.timeout(10):
                while not await is_refused(port):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            while await is_refused(port):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert await ask(port)
        assert (await router.observe()).deaths[-1].refused
