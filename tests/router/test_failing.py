"""What becomes of a request when its replica fails: repeated if that is safe, otherwise lost, and said."""

import asyncio
import re

import pytest
from tests.router.place import (
    Backend,
    answer,
    eventually,
    free_port,
    gated,
    looped,
    placed,
    read_head,
    read_message,
    says,
)

from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route
from midair.router.embedded.limits import Limits

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"


async def hangs_up(backend, reader, writer):
    """Takes a request and closes the connection without a word."""
    head, _ = await read_message(reader)
    backend.requests.append(head)


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
async def test_port_without_a_listener_takes_no_replica_away():
    async with placed(park_s=0.2) as place:
        replica, debugger = await place.backend(), free_port()
        place.router.hub.note_reached("127.0.0.1", replica.port)
        ports = (Port(place.port, replica.port, "127.0.0.1"), Port(debugger, free_port(), "127.0.0.1", "tcp"))
        route = Route("web/aaaa/0", "127.0.0.1:*")
        await place.router.perform(SetRoutes("web", 1, (route,), ports=ports))
        for _ in range(4):
            reader, writer = await asyncio.open_connection("127.0.0.1", debugger)
            assert await reader.read() == b""
            writer.close()
        assert place.service.seen().failing == ()
        assert (await place.get())[0].startswith(b"HTTP/1.1 200")


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


async def closes_at_the_second(backend, reader, writer):
    """As one whose idle time is over just when the second request arrives."""
    writer.write(answer((await read_message(reader))[1]))
    await read_message(reader)


@pytest.mark.parametrize(
    "parts",
    [
        (POST,),
        (POST[:-2], b"hi"),
        (b"PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\n", b"hi"),
        (b"PATCH / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi",),
    ],
)
@looped
async def test_unrepeatable_requests_go_on_fresh_connections(parts):
    async with placed(warm_s=0) as place:
        backend = await place.backend(closes_at_the_second)
        await place.route(backend)
        client = await place.connect()
        for _ in range(4):
            for part in parts:
                client.send(part)
                await eventually(lambda: not client.writer.transport.get_write_buffer_size())
                await asyncio.sleep(0)
            assert (await client.answer())[1] == b"hi"
        await eventually(lambda: backend.open == 1, "a fresh connection replaced an idle one")
        await place.counted(answered=4)


@looped
async def test_gets_and_warm_connections_stay_pooled():
    async with placed(warm_s=10) as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        for request in (GET, POST, POST, GET):
            await client.ask(request)
        assert backend.connections == 1
        place.router.hub.limits = Limits(warm_s=0)
        await client.ask(GET)
        assert backend.connections == 1
        await client.ask(POST)
        assert backend.connections == 2


@looped
async def test_a_repeated_request_goes_on_a_fresh_connection():
    async with placed(warm_s=0) as place:
        gate = asyncio.Event()

        async def serve(backend, reader, writer):
            await read_message(reader)
            await gate.wait()
            writer.write(answer(b"ok"))
            await read_message(reader)

        backend = await place.backend(serve)
        await place.route(backend)
        clients = [await place.connect() for _ in range(5)]
        for client in clients:
            client.send(GET)
        await eventually(lambda: place.inside() == 5)
        gate.set()
        for client in clients:
            await client.answer()
        assert (await client.ask(GET))[1] == b"ok", "four more pooled connections would each have closed"
        await place.counted(answered=6)


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
