"""Which replica gets a request, and what becomes of it when a replica leaves or there is none."""

import asyncio

import pytest
from tests.router.place import answer, eventually, free_port, gated, looped, placed, read_head, read_message, says

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"


@looped
async def test_weights_hold_between_revisions_to_the_request():
    async with placed() as place:
        old, new = await place.backend(), await place.backend()
        old.revision, new.revision = "aaaa", "bbbb"
        await place.route(old, new, weights=(90, 10))
        client = await place.connect()
        for _ in range(200):
            await client.ask(GET)
        assert (len(old.requests), len(new.requests)) == (180, 20)


@looped
async def test_a_busy_replica_is_given_less():
    async with placed() as place:
        gate = asyncio.Event()
        busy, free = await place.backend(gated(gate)), await place.backend()
        await place.route(busy, free)
        clients = [await place.connect() for _ in range(20)]
        for client in clients:
            client.send(GET)
            await asyncio.sleep(0.005)
        assert len(busy.requests) <= 12
        gate.set()
        for client in clients:
            await client.answer()
        await place.counted(answered=20)


@pytest.mark.parametrize("by", ["header:X-User", "cookie:uid"])
@looped
async def test_a_user_stays_with_a_revision_and_only_ever_moves_to_the_one_that_grows(by):
    async with placed() as place:
        old, new = await place.backend(says(answer(b"old"))), await place.backend(says(answer(b"new")))
        old.revision, new.revision = "aaaa", "bbbb"

        async def who():
            users, client = set(), await place.connect()
            for user in range(100):
                line = b"X-User: u%d\r\n" if by.startswith("header") else b"Cookie: a=b; uid=u%d; c=d\r\n"
                head = b"GET / HTTP/1.1\r\nHost: web\r\n" + line % user + b"\r\n"
                if (await client.ask(head))[1] == b"new":
                    users.add(user)
            return users

        seen = []
        for share in (10, 10, 50, 10):
            await place.route(old, new, weights=(100 - share, share), stick_by=by)
            seen.append(await who())
        assert seen[0] == seen[1] == seen[3]
        assert seen[0] < seen[2]
        assert 3 <= len(seen[0]) <= 20
        assert 35 <= len(seen[2]) <= 65


@looped
async def test_a_drained_replica_gets_no_request_and_loses_none():
    async with placed() as place:
        gate, started = asyncio.Event(), asyncio.Event()
        old, new = await place.backend(gated(gate, started)), await place.backend()
        await place.route(old)
        inside, idle = await place.connect(), await place.connect()
        inside.send(GET)
        await started.wait()
        nudged = asyncio.Event()
        place.router.hub.on_change(nudged.set)
        await place.route(new)
        seen = place.service.seen()
        assert (seen.settled, list(seen.open.values())) == (2, [0, 1])
        assert (await idle.ask(GET))[1].startswith(b"GET")
        nudged.clear()
        gate.set()
        assert (await inside.answer())[1] == b"late"
        await asyncio.wait_for(nudged.wait(), 5)
        assert list(place.service.seen().open.values()) == [0]
        assert (await inside.ask(GET))[1].startswith(b"GET")
        assert len(old.requests) == 1
        await place.counted(answered=3)


@looped
async def test_idle_connections_to_a_drained_replica_are_closed_at_once():
    async with placed() as place:
        old, new = await place.backend(), await place.backend()
        await place.route(old)
        await place.get()
        assert old.open == 1
        await place.route(new)
        await eventually(lambda: old.open == 0)


@looped
async def test_a_replica_may_come_back_while_it_drains():
    async with placed() as place:
        gate, started = asyncio.Event(), asyncio.Event()
        one, other = await place.backend(gated(gate, started)), await place.backend()
        await place.route(one)
        client = await place.connect()
        client.send(GET)
        await started.wait()
        await place.route(other)
        await place.route(one)
        gate.set()
        assert (await client.answer())[1] == b"late"
        assert (await place.get())[1] == b"late"
        assert one.connections == 1


@looped
async def test_an_older_generation_is_refused_and_the_same_one_is_harmless():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        await place.route(backend)
        place.generation = 0
        with pytest.raises(RouterTrouble, match='generation "1" is older than "2"'):
            await place.route(backend)
        place.generation = 1
        await place.route(backend)
        assert place.service.seen().settled == 2


@looped
async def test_a_taken_port_is_a_problem_and_changes_nothing():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        other, port = await place.backend(says(answer(b"new"))), place.port
        place.port = backend.port
        with pytest.raises(
            RouterTrouble, match=f'cannot listen on port "127.0.0.1:{backend.port}": address already in use'
        ):
            await place.route(other)
        seen = place.service.seen()
        assert (seen.settled, "in use" in seen.problem) == (1, True)
        place.port = port
        assert (await place.get())[1] != b"new"
        await place.route(other)
        assert (await place.get())[1] == b"new"
        assert place.service.seen().problem == ""


@looped
async def test_a_port_that_goes_away_ends_connections_after_the_request_in_hand():
    async with placed() as place:
        gate, started = asyncio.Event(), asyncio.Event()
        backend = await place.backend(gated(gate, started))
        await place.route(backend)
        client = await place.connect()
        client.send(GET)
        await started.wait()
        await place.route(backend, ports=())
        with pytest.raises(OSError):
            await place.connect()
        gate.set()
        assert b"\r\nConnection: close\r\n" in (await client.answer())[0]
        assert await client.rest() == b""
        await place.counted(answered=1)


@looped
async def test_an_address_without_a_port_means_that_of_each_published_port():
    async with placed() as place:
        one, other = await place.backend(says(answer(b"one"))), await place.backend(says(answer(b"other")))
        published = {backend: Port(free_port(), backend.port, "127.0.0.1") for backend in (one, other)}
        route = Route("web/aaaa/0", "127.0.0.1:*")
        await place.router.perform(SetRoutes("web", 1, (route,), ports=tuple(published.values())))
        for _ in range(3):
            for backend, body in ((one, b"one"), (other, b"other")):
                place.port = published[backend].port
                assert (await place.get())[1] == body
        assert (one.connections, other.connections) == (1, 1)
        assert place.service.seen().open == {"web/aaaa/0": 0}


@looped
async def test_without_a_replica_requests_are_lost_at_once_and_say_so():
    async with placed() as place:
        await place.route()
        head, body = await place.get()
        assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert b"Content-Type: text/plain" in head
        assert body == b"no replica of this service is ready\n"
        await place.counted(lost=1)


@looped
async def test_held_requests_wait_for_a_replica_and_are_all_answered():
    async with placed() as place:
        await place.route(hold=True)
        clients = [await place.connect() for _ in range(10)]
        for client in clients:
            client.send(POST)
        await eventually(lambda: place.service.seen().held == 10)
        place.check()
        await place.route(await place.backend())
        for client in clients:
            assert (await client.answer())[1].endswith(b"hi")
        await place.counted(answered=10)


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@looped
async def test_what_waits_when_a_hold_begins_waits_as_long_as_that(protocol):
    async with placed(park_s=0.4) as place:
        dead = await place.backend()
        dead.stop_accepting()
        await place.route(dead, protocol=protocol)
        client = await place.connect()
        client.send(POST)
        await eventually(lambda: place.service.seen().held == 1)
        await place.route(hold=True, hold_timeout_s=30, protocol=protocol)
        await asyncio.sleep(0.6)
        assert place.service.seen().held == 1
        await place.route(await place.backend(), protocol=protocol)
        assert (await client.answer())[1].endswith(b"hi")
        client.close()
        await place.counted(answered=1)


@pytest.mark.parametrize(("routed", "outcome"), [(False, "lost"), (True, "refused")])
@looped
async def test_held_for_too_long_is_lost_unless_an_operator_wanted_it(routed, outcome):
    async with placed() as place:
        backends = [await place.backend()] if routed else []
        await place.route(*backends, hold=True, hold_timeout_s=0.1)
        head, _ = await place.get()
        assert head.startswith(b"HTTP/1.1 503 ")
        await place.counted(**{outcome: 1})


@looped
async def test_time_that_a_request_was_held_is_not_its_replicas():
    async def serve(backend, reader, writer):
        await read_message(reader)
        await asyncio.sleep(0.2)
        writer.write(answer(b"late"))

    async with placed(answer_s=0.7) as place:
        await place.route(hold=True)
        client = await place.connect()
        client.send(POST)
        await asyncio.sleep(0.8)
        await place.route(await place.backend(serve))
        assert (await client.answer())[1] == b"late"
        await place.counted(answered=1)


@looped
async def test_a_held_client_that_waits_to_be_told_to_go_on_is_not_too_slow():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        writer.write(answer(await reader.readexactly(2)))

    async with placed(body_s=0.2) as place:
        await place.route(hold=True)
        client = await place.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        await asyncio.sleep(0.4)
        assert place.service.seen().held == 1
        await place.route(await place.backend(serve))
        assert await read_head(client.reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"hi"))[1] == b"hi"
        await place.counted(answered=1)


@looped
async def test_no_more_are_held_than_wanted():
    async with placed() as place:
        await place.route(hold=True, hold_max_requests=2, hold_timeout_s=5)
        waiting = [await place.connect() for _ in range(2)]
        for client in waiting:
            client.send(GET)
        await eventually(lambda: place.service.seen().held == 2)
        assert (await place.get())[0].startswith(b"HTTP/1.1 503 ")
        waiting[0].close()
        await eventually(lambda: place.service.seen().held == 1)
        await place.route(await place.backend())
        await waiting[1].answer()
        await place.counted(answered=1, aborted=1, lost=1)
