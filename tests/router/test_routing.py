"""Which replica gets a request, and what becomes of it when a replica leaves, fails or is not there."""

import asyncio
import re

import pytest
from tests.router.place import Backend, answer, eventually, free_port, looped, placed, read_head, read_message, says

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"


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


async def hangs_up(backend, reader, writer):
    """Takes a request and closes the connection without a word."""
    head, _ = await read_message(reader)
    backend.requests.append(head)


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


@looped
async def test_a_refused_connection_is_tried_elsewhere_whatever_the_method():
    async with placed() as place:
        dead, live = await place.backend(), await place.backend()
        dead.stop_accepting()
        await place.route(dead, live)
        client = await place.connect()
        for _ in range(10):
            assert (await client.ask(POST))[0].startswith(b"HTTP/1.1 200")
        await eventually(lambda: len(place.service.seen().failing) == 1)
        await place.counted(answered=10)


@looped
async def test_an_ejected_replica_comes_back_when_it_takes_connections():
    async with placed() as place:
        late, live = Backend(), await place.backend()
        late.port = free_port()
        place.backends.append(late)
        await place.route(late, live)
        for _ in range(6):
            await place.get()
        assert len(place.service.seen().failing) == 1
        await late.start(late.port)
        await eventually(lambda: not place.service.seen().failing)
        for _ in range(4):
            await place.get()
        assert late.requests


@looped
async def test_the_last_replica_is_never_ejected_and_requests_wait_a_moment_for_it():
    async with placed(park_s=5) as place:
        late = Backend()
        late.port = free_port()
        place.backends.append(late)
        await place.route(late)
        client = await place.connect()
        client.send(POST)
        await eventually(lambda: place.service.seen().failing != ())
        await late.start(late.port)
        assert (await client.answer())[1].endswith(b"hi")
        await place.counted(answered=1)


@looped
async def test_without_any_replica_that_takes_connections_requests_are_lost_after_that_moment():
    async with placed(park_s=0.2) as place:
        dead = await place.backend()
        dead.stop_accepting()
        await place.route(dead)
        assert (await place.get())[0].startswith(b"HTTP/1.1 503")
        await place.counted(lost=1)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
@looped
async def test_a_request_that_may_be_repeated_is_when_its_replica_hangs_up(method):
    async with placed() as place:
        await place.route(await place.backend(hangs_up), await place.backend())
        client = await place.connect()
        for _ in range(4):
            client.send(b"%s / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi" % method.encode())
            if method == "HEAD":
                assert (await read_head(client.reader)).startswith(b"HTTP/1.1 200")
            else:
                assert (await client.answer())[1].endswith(b"hi")
        await place.counted(answered=4)


@looped
async def test_a_post_is_never_sent_twice():
    async with placed() as place:
        bad, good = await place.backend(hangs_up), await place.backend()
        await place.route(bad, good)
        client = await place.connect()
        statuses = [(await client.ask(POST))[0][9:12] for _ in range(4)]
        assert sorted(statuses) == [b"200", b"200", b"502", b"502"]
        assert len(bad.requests) == len(good.requests) == 2
        await place.counted(answered=2, lost=2)


@looped
async def test_a_large_body_is_not_repeated_since_it_is_not_kept():
    async with placed() as place:
        await place.route(await place.backend(hangs_up))
        client = await place.connect()
        size = 300_000
        head, _ = await client.ask(b"PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert head.startswith(b"HTTP/1.1 502")
        await place.counted(lost=1)


@looped
async def test_a_pooled_connection_that_was_closed_is_not_used_for_a_post():
    async def closes_soon(backend, reader, writer):
        head, body = await read_message(reader)
        backend.requests.append(head)
        writer.write(answer(body))

    async with placed() as place:
        await place.route(await place.backend(closes_soon))
        client = await place.connect()
        for _ in range(300):
            assert (await client.ask(POST))[1] == b"hi"
        await place.counted(answered=300)


@looped
async def test_pooled_connections_are_dropped_before_a_server_would():
    async with placed(pooled_s=0.2) as place:
        backend = await place.backend()
        await place.route(backend)
        await place.get()
        await asyncio.sleep(0.3)
        await eventually(lambda: backend.open == 0)
        await place.get()
        assert backend.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\nhel",
    ],
)
@looped
async def test_half_an_answer_is_lost_and_looks_like_half(reply):
    async with placed() as place:
        await place.route(await place.backend(says(reply, then_close=True)))
        client = await place.connect()
        client.send(GET)
        try:
            received = await client.rest()
        except ConnectionError:
            received = b""
        assert not received.endswith(b"0\r\n\r\n")
        assert not re.search(rb"\r\n\r\n.{10}$", received)
        await place.counted(lost=1)


@pytest.mark.parametrize(
    "reply",
    [
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-",
    ],
)
@looped
async def test_an_answer_that_is_no_http_is_a_bad_gateway(reply):
    async with placed() as place:
        await place.route(await place.backend(says(reply, then_close=True)))
        head, _ = await place.get()
        assert head.startswith(b"HTTP/1.1 502 ")
        await place.counted(lost=1)


@looped
async def test_a_replica_that_says_too_much_is_not_believed_again():
    async with placed() as place:
        backend = await place.backend(says(answer(b"ok") + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
        await place.route(backend)
        client = await place.connect()
        for _ in range(3):
            assert (await client.ask(GET))[1] == b"ok"
        assert backend.connections == 3


@looped
async def test_a_client_that_goes_away_is_counted_and_its_replica_told():
    async with placed() as place:
        gone = asyncio.Event()

        async def serve(backend, reader, writer):
            await read_head(reader)
            await reader.read()
            gone.set()

        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(GET)
        await eventually(lambda: place.inside() == 1)
        client.close()
        await asyncio.wait_for(gone.wait(), 5)
        await place.counted(aborted=1)


@looped
async def test_answers_are_counted_by_status_revision_and_latency():
    async with placed() as place:
        old, new = await place.backend(), await place.backend(says(answer(b"no", "500 Internal Server Error")))
        await place.route(old)
        await place.get()
        await place.route(new, revision="bbbb")
        await place.get()
        counts = {count.revision: count for count in place.router.observe().counts}
        assert counts["aaaa"].by_status["2xx"] == counts["bbbb"].by_status["5xx"] == 1
        assert counts["aaaa"].tally.answered == counts["bbbb"].tally.answered == 1
        assert sum(counts["aaaa"].latency.counts) == 1
        assert 0 < counts["aaaa"].latency.total_s < 1


@looped
async def test_a_replica_that_never_answers_is_given_up_at_last():
    async with placed(answer_s=0.2) as place:
        await place.route(await place.backend(gated(asyncio.Event())))
        assert (await place.get())[0].startswith(b"HTTP/1.1 504 ")
        await place.counted(lost=1)


@looped
async def test_replicas_are_exchanged_under_load_without_a_loss():
    """They close idle connections, and others after a few requests, and are killed right after they have drained."""
    async with placed(pooled_s=0.02) as place:
        served = 0

        async def fickle(backend, reader, writer):
            for left in reversed(range(7)):
                head, body = await asyncio.wait_for(read_message(reader), 0.05)
                writer.write(answer(body or head, extra=b"" if left else b"Connection: close\r\n"))
            if backend:
                await asyncio.sleep(0)

        async def fickle_or_idle(backend, reader, writer):
            try:
                await fickle(backend, reader, writer)
            except TimeoutError:
                return

        async def load(stop):
            nonlocal served
            client, used = await place.connect(), 0
            while not stop.is_set():
                if used % 50 == 49:
                    client.close()
                    client = await place.connect()
                head, _ = await client.ask(POST if used % 3 else GET)
                assert head.startswith(b"HTTP/1.1 200"), head
                served, used = served + 1, used + 1
            client.close()

        backends = [await place.backend(fickle_or_idle) for _ in range(3)]
        await place.route(*backends)
        stop = asyncio.Event()
        loads = [asyncio.create_task(load(stop)) for _ in range(8)]
        for turn in range(9):
            fresh = await place.backend(fickle_or_idle)
            await place.route(*backends, fresh)
            old = backends.pop(0)
            backends.append(fresh)
            await place.route(*backends)
            await eventually(lambda old=old: sum(r.open for r in place.service.replicas() if r.port == old.port) == 0)
            old.kill()
            await asyncio.sleep(0.05 if turn % 2 else 0)
        stop.set()
        await asyncio.gather(*loads)
        assert served > 100
        await place.counted(answered=served)
