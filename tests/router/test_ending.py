"""Idle connections of a replica that leaves are closed; where requests are held, WebSockets and streams too."""

import asyncio
import socket
import struct
from itertools import pairwise

import pytest
from tests.router.place import eventually, looped, placed, read_head
from tests.router.test_tunnel import UPGRADE, WebSockets, frame, open_socket, read_frame, tcp_echo

LEAVING = {"leaving": ("web/aaaa/0",)}
HELD = {"hold": True, "websocket_s": 0.0, "stream_s": 0.0, **LEAVING}


def clock():
    return asyncio.get_running_loop().time()


class Database:
    """Answers each line, `slow` when the gate is open; greets first if it has something to say."""

    def __init__(self, greeting=b""):
        self.greeting, self.gate = greeting, asyncio.Event()

    async def __call__(self, backend, reader, writer):
        writer.write(self.greeting)
        while line := await reader.readline():
            if line == b"slow\n":
                await self.gate.wait()
            writer.write(b"answer to " + line)


async def pool(place, size, *, greeting=b""):
    clients = [await place.connect() for _ in range(size)]
    for client in clients:
        client.send(b"hello\n")
        assert await client.reader.readline() == greeting + b"answer to hello\n"
    return clients


@looped
async def test_idle_connections_of_a_leaving_replica_close_at_once():
    async with placed() as place:
        await place.route(await place.backend(Database()), protocol="tcp")
        clients = await pool(place, 20)
        began = clock()
        await place.route(protocol="tcp", **HELD)
        assert await asyncio.gather(*(client.rest() for client in clients)) == [b""] * 20
        assert clock() - began < 0.6
        await eventually(lambda: place.inside() == 0)
        await place.counted(answered=20)


@looped
async def test_query_in_flight_is_answered_before_its_connection_closes():
    async with placed() as place:
        database = Database()
        await place.route(await place.backend(database), protocol="tcp")
        client, idle = await pool(place, 2)
        client.send(b"slow\n")
        await place.route(protocol="tcp", **HELD)
        assert await idle.rest() == b""
        await asyncio.sleep(0.3)
        assert place.inside() == 1
        database.gate.set()
        assert await client.rest() == b"answer to slow\n"
        await place.counted(answered=2)


@looped
@pytest.mark.parametrize(("hold", "overdue"), [(True, {"web/aaaa/0": 1}), (False, {})])
async def test_consumer_is_overdue_only_while_requests_are_held(hold, overdue):
    async with placed() as place:
        await place.route(await place.backend(Database()), protocol="tcp")
        consumer, idle = await pool(place, 2)
        consumer.send(b"slow\n")
        await place.route(protocol="tcp", drain_timeout_s=0.3, **{**HELD, "hold": hold})
        assert place.service.seen().overdue == {}
        assert await idle.rest() == b""
        reported = []
        place.service.hub.on_change(lambda: reported.append(place.service.seen().overdue))
        if hold:
            await eventually(lambda: overdue in reported)
        else:
            await asyncio.sleep(0.5)
        assert place.service.seen().overdue == overdue
        assert place.inside() == 1


@looped
async def test_client_of_a_closed_connection_is_held_for_the_next_replica():
    async with placed() as place:
        await place.route(await place.backend(Database()), protocol="tcp")
        (client,) = await pool(place, 1)
        await place.route(protocol="tcp", **HELD)
        assert await client.rest() == b""
        again = await place.connect()
        again.send(b"hello\n")
        await eventually(lambda: place.service.seen().held == 1)
        await place.route(await place.backend(Database()), protocol="tcp")
        assert await again.reader.readline() == b"answer to hello\n"
        again.close()
        await place.counted(answered=2)


@looped
async def test_silent_connection_moves_to_the_next_replica_unnoticed():
    async with placed() as place:
        await place.route(await place.backend(Database()), protocol="tcp")
        client = await place.connect()
        await eventually(lambda: place.inside() == 1)
        await place.route(protocol="tcp", **HELD)
        await eventually(lambda: place.service.seen().held == 1)
        await place.route(await place.backend(Database()), protocol="tcp")
        client.send(b"hello\n")
        assert await client.reader.readline() == b"answer to hello\n"
        client.close()
        await place.counted(answered=1)


@looped
async def test_greeted_client_is_closed_and_not_greeted_twice():
    async with placed() as place:
        await place.route(await place.backend(Database(b"welcome\n")), protocol="tcp")
        client = await place.connect()
        assert await client.reader.readline() == b"welcome\n"
        await place.route(protocol="tcp", **HELD)
        assert await client.rest() == b""
        await place.counted(answered=1)


@pytest.mark.parametrize("why", ["unhealthy", "waits"])
@looped
async def test_idle_connections_stay_where_nothing_says_leaving(why):
    async with placed() as place:
        await place.route(await place.backend(tcp_echo), protocol="tcp")
        client = await place.connect()
        client.send(b"x")
        assert await client.read(1) == b"x"
        more = {"hold": True} if why == "unhealthy" else {**HELD, "long_lived": "wait"}
        await place.route(protocol="tcp", **more)
        await asyncio.sleep(0.3)
        client.send(b"y")
        assert await client.read(1) == b"y"


@looped
async def test_upgraded_connection_of_unknown_protocol_closes_when_idle():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: raw\r\nConnection: Upgrade\r\n\r\n")
        await tcp_echo(backend, reader, writer)

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(UPGRADE.replace(b"websocket", b"raw"))
        assert (await read_head(client.reader)).startswith(b"HTTP/1.1 101 ")
        await place.route(**HELD)
        assert await client.rest() == b""
        await place.counted(answered=1)


@looped
async def test_websockets_close_at_once_where_requests_are_held():
    async with placed() as place:
        await place.route(await place.backend(WebSockets()))
        polite, mute = await open_socket(place), await open_socket(place)
        began = clock()
        await place.route(**HELD)
        for client in (polite, mute):
            opcode, payload = await read_frame(client.reader)
            assert (opcode, payload[:2]) == (8, struct.pack("!H", 1012))
        polite.send(frame(payload, 8, masked=True))
        assert await asyncio.gather(polite.rest(), mute.rest()) == [b"", b""]
        await eventually(lambda: place.inside() == 0)
        assert clock() - began < 1.0
        await place.counted(answered=2)


@looped
async def test_event_stream_ends_between_events_where_requests_are_held():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"9\r\ndata: 1\n\n\r\n")
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        await client.reader.readuntil(b"data: 1\n\n\r\n")
        await place.route(**HELD)
        assert await client.rest() == b"0\r\n\r\n"
        await place.counted(answered=1)


@looped
async def test_websockets_are_closed_one_after_the_other():
    async with placed() as place:
        old, new = await place.backend(WebSockets()), await place.backend()
        await place.route(old)
        clients = [await open_socket(place) for _ in range(10)]
        began, closed = clock(), []

        async def reads(client):
            await read_frame(client.reader)
            closed.append(clock() - began)

        await place.route(new, websocket_s=1.0, **LEAVING)
        await asyncio.gather(*(reads(client) for client in clients))
        assert max(closed) < 1.0
        assert max(later - sooner for sooner, later in pairwise(closed)) < 0.5
        assert closed[-1] - closed[0] > 0.5


@looped
@pytest.mark.parametrize(("last", "outcome"), [(b"hello\n", "answered"), (b"unasked", "aborted")])
async def test_reset_after_the_client_ended_is_not_lost(last, outcome):
    async def resets(backend, reader, writer):
        if (await reader.read(99)).endswith(b"\n"):
            writer.write(b"answer\n")
        await reader.read()
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with placed() as place:
        await place.route(await place.backend(resets), protocol="tcp")
        client = await place.connect()
        client.send(last)
        if outcome == "answered":
            assert await client.reader.readline() == b"answer\n"
        else:
            await eventually(lambda: place.inside() == 1)
        client.writer.write_eof()
        await client.rest()
        await place.counted(**{outcome: 1})
