"""Upgraded connections and plain TCP: bytes both ways, and a polite end."""

import asyncio
import re
import struct
import time

import pytest
from tests.router.place import answer, eventually, looped, placed, read_head, says

UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
           b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n")  # fmt: skip
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n"
)
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def frame(payload, opcode=1, masked=False):
    mask = b"\0\0\0\0" if masked else b""
    return bytes((0x80 | opcode, len(payload) | (128 if masked else 0))) + mask + payload


async def read_frame(reader):
    """Opcode and payload."""
    first, size = await reader.readexactly(2)
    masked, size = size & 128, size & 127
    if size == 126:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
    if masked:
        await reader.readexactly(4)
    return first & 15, await reader.readexactly(size)


class WebSockets:
    """A replica that echoes messages, and notes what ends them."""

    def __init__(self):
        self.closed = []
        self.pending = None  # half a frame, to be sent right after the handshake

    async def __call__(self, backend, reader, writer):
        head = await read_head(reader)
        backend.requests.append(head)
        writer.write(SWITCH + (self.pending or b""))
        while True:
            opcode, payload = await read_frame(reader)
            if opcode == 8:
                self.closed.append(payload)
                writer.write(frame(payload, 8))
                return
            writer.write(frame(payload, opcode))


async def open_socket(place):
    client = await place.connect()
    client.send(UPGRADE)
    assert (await read_head(client.reader)).startswith(b"HTTP/1.1 101 ")
    return client


@pytest.mark.parametrize("kind", ["WebSocket", "event stream"])
@looped
async def test_long_lived_connections_are_noted(kind):
    async with placed() as place:
        backend = await place.backend(WebSockets() if kind == "WebSocket" else says(EVENTS))
        await place.route(backend)
        client = await place.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n" if kind == "event stream" else UPGRADE)
        await read_head(client.reader)
        (count,) = (one for one in place.router.observe().counts if one.revision)
        assert 0 <= time.time() - count.long_lived_at < 60


@looped
async def test_short_answers_are_not_long_lived():
    async with placed() as place:
        backend = await place.backend(says(answer(b"ok")))
        await place.route(backend)
        client = await place.connect()
        await client.ask(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        assert {one.long_lived_at for one in place.router.observe().counts} == {0.0}


@looped
async def test_a_websocket_passes_and_is_open_until_it_is_closed():
    async with placed() as place:
        backend = await place.backend(WebSockets())
        await place.route(backend)
        client = await open_socket(place)
        assert b"\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" in backend.requests[0]
        for number in range(10):
            client.send(frame(b"hello %d" % number, masked=True))
            assert await read_frame(client.reader) == (1, b"hello %d" % number)
        assert place.inside() == 1
        place.check()
        client.send(frame(struct.pack("!H", 1000), 8, masked=True))
        assert await read_frame(client.reader) == (8, struct.pack("!H", 1000))
        assert await client.rest() == b""
        await place.counted(answered=1)
        (record,) = (record for record in place.router.hub.book.records() if record.revision)
        assert (record["connections"], record["status_1xx"], sum(record.latency("end").counts)) == (1, 1, 0)


@looped
async def test_bytes_right_behind_the_handshake_are_not_lost():
    async with placed() as place:
        sockets = WebSockets()
        sockets.pending = frame(b"first")
        await place.route(await place.backend(sockets))
        client = await place.connect()
        client.send(UPGRADE + frame(b"eager", masked=True))
        await read_head(client.reader)
        assert await read_frame(client.reader) == (1, b"first")
        assert await read_frame(client.reader) == (1, b"eager")
        client.send(frame(struct.pack("!H", 1000), 8, masked=True))
        await client.rest()
        await place.counted(answered=1)


@looped
async def test_an_upgrade_that_is_not_taken_is_an_ordinary_request():
    async with placed() as place:
        await place.route(await place.backend(says(answer(b"no sockets here"))))
        client = await place.connect()
        assert (await client.ask(UPGRADE))[1] == b"no sockets here"
        assert (await client.ask(UPGRADE))[1] == b"no sockets here"
        await place.counted(answered=2)


def offering(*upgrades):
    """A request that offers to switch to these protocols, by a header each."""
    fields = b"".join(b"Upgrade: " + upgrade + b"\r\n" for upgrade in upgrades)
    return (
        b"GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        + fields
        + b"HTTP2-Settings: A\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("upgrades", "passed"),
    [
        ([b"h2c,"], []),
        ([b"H2C , h2c"], []),
        ([b"h2c;q=1"], []),
        ([b"h2c/1"], []),
        ([b"HTTP/2.0, TLS/1.0"], []),
        ([b'"h2c"'], []),
        ([b"h2c, websocket"], [b"websocket"]),
        ([b"websocket, h2c"], [b"websocket"]),
        ([b"websocket", b"h2c"], [b"websocket"]),
        ([b"h2c", b"WebSocket, chat/1.0"], [b"WebSocket, chat/1.0"]),
    ],
)
@looped
async def test_h2c_is_left_out_of_offered_protocols(upgrades, passed):
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    async with placed() as place:
        backend = await place.backend(says(switch))
        await place.route(backend)
        head, _ = await (await place.connect()).ask(offering(*upgrades))
        assert head.startswith(b"HTTP/1.1 502 ")
        assert re.findall(rb"\r\nUpgrade: ([^\r]*)", backend.requests[0]) == passed
        assert b"HTTP2-Settings" not in backend.requests[0]
        await place.counted(lost=1)


@looped
async def test_early_switch_is_a_bad_gateway():
    async with placed() as place:

        async def serve(backend, reader, writer):
            await read_head(reader)
            writer.write(SWITCH)
            await reader.read()

        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(UPGRADE[:-2] + b"Content-Length: 10\r\n\r\nhalf")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 502 ")
        await place.counted(lost=1)


@looped
async def test_at_the_drain_deadline_a_websocket_is_closed_with_1012():
    async with placed() as place:
        sockets = WebSockets()
        old, new = await place.backend(sockets), await place.backend()
        await place.route(old)
        client = await open_socket(place)
        client.send(frame(b"hello", masked=True))
        assert await read_frame(client.reader) == (1, b"hello")
        await place.route(new, drain_timeout_s=0.2)
        opcode, payload = await read_frame(client.reader)
        assert (opcode, payload[:2]) == (8, struct.pack("!H", 1012))
        client.send(frame(payload, 8, masked=True))
        assert await client.rest() == b""
        assert sockets.closed[0][:2] == struct.pack("!H", 1012)
        await place.counted(answered=1)


@looped
async def test_a_client_that_does_not_answer_the_close_frame_is_let_go():
    async with placed() as place:
        await place.route(await place.backend(WebSockets()))
        client = await open_socket(place)
        await place.route(drain_timeout_s=0.05)
        await read_frame(client.reader)
        assert await client.rest() == b""
        await place.counted(answered=1)


@looped
async def test_the_close_frame_waits_for_the_end_of_the_frame_in_flight():
    more = asyncio.Event()

    async def serve(backend, reader, writer):
        await read_head(reader)
        whole = frame(b"x" * 100)
        writer.write(SWITCH + whole[:50])
        await more.wait()
        writer.write(whole[50:])
        await asyncio.sleep(0.05)
        writer.write(frame(b"too late"))
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await open_socket(place)
        await place.route(drain_timeout_s=0.05)
        await asyncio.sleep(0.1)
        more.set()
        assert await read_frame(client.reader) == (1, b"x" * 100)
        opcode, payload = await read_frame(client.reader)
        assert (opcode, payload[:2]) == (8, struct.pack("!H", 1012))
        client.send(frame(payload, 8, masked=True))
        assert await client.rest() == b""
        await place.counted(answered=1)


@looped
async def test_long_lived_connections_are_waited_for_if_that_is_wanted():
    async with placed() as place:
        await place.route(await place.backend(WebSockets()))
        client = await open_socket(place)
        await place.route(drain_timeout_s=0.05, long_lived="wait")
        await asyncio.sleep(0.2)
        client.send(frame(b"still here", masked=True))
        assert await read_frame(client.reader) == (1, b"still here")
        client.send(frame(b"", 8, masked=True))
        await client.rest()
        await place.counted(answered=1)


@looped
async def test_a_websocket_whose_replica_dies_is_lost_and_its_client_told():
    async with placed() as place:
        backend = await place.backend(WebSockets())
        await place.route(backend)
        client = await open_socket(place)
        backend.kill()
        opcode, payload = await read_frame(client.reader)
        assert (opcode, payload[:2]) == (8, struct.pack("!H", 1012))
        await place.counted(lost=1)


@looped
async def test_a_websocket_whose_client_vanishes_is_aborted():
    async with placed() as place:
        backend = await place.backend(WebSockets())
        await place.route(backend)
        client = await open_socket(place)
        client.reset()
        await eventually(lambda: backend.open == 0)
        await place.counted(aborted=1)


@pytest.mark.parametrize("chunked", [True, False])
@looped
async def test_at_the_drain_deadline_an_event_stream_ends_between_events(chunked):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"
    event = b"data: hello\n\n"

    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(head)
        while True:
            writer.write(b"%x\r\n%s\r\n" % (len(event), event) if chunked else event)
            await writer.drain()
            await asyncio.sleep(0.01)

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        await read_head(client.reader)
        await place.route(drain_timeout_s=0.05)
        body = await client.rest()
        if chunked:
            assert body.endswith(b"\r\n0\r\n\r\n")
        assert body.count(b"data: hello\n\n") >= 2
        await place.counted(answered=1)


@looped
async def test_a_download_is_not_cut_at_the_drain_deadline():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            writer.write(b"5\r\nhello\r\n")
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        await eventually(lambda: place.inside() == 1)
        await place.route(drain_timeout_s=0.05)
        assert (await client.answer())[1] == b"hello" * 20
        await place.counted(answered=1)


async def tcp_echo(backend, reader, writer):
    while data := await reader.read(65536):
        writer.write(data)


@looped
async def test_tcp_passes_both_ways_and_each_end_may_finish_first():
    async with placed() as place:
        await place.route(await place.backend(tcp_echo), protocol="tcp")
        client = await place.connect()
        client.send(b"\0\xff" * 100_000)
        assert await client.read(200_000) == b"\0\xff" * 100_000
        assert place.inside() == 1
        client.send(b"last words")
        client.writer.write_eof()
        assert await client.rest() == b"last words"
        await place.counted(answered=1)


@looped
async def test_tcp_goes_to_a_replica_that_takes_it():
    async with placed() as place:
        dead, live = await place.backend(tcp_echo), await place.backend(tcp_echo)
        dead.stop_accepting()
        await place.route(dead, live, protocol="tcp")
        for _ in range(4):
            client = await place.connect()
            client.send(b"x")
            assert await client.read(1) == b"x"
            client.close()
        await place.counted(answered=4)


@looped
async def test_tcp_is_held_and_lost_like_requests():
    async with placed() as place:
        await place.route(hold=True, protocol="tcp")
        client = await place.connect()
        client.send(b"hello")
        await eventually(lambda: place.service.seen().held == 1)
        await place.route(await place.backend(tcp_echo), protocol="tcp")
        assert await client.read(5) == b"hello"
        client.close()
        await place.route(protocol="tcp")
        assert await (await place.connect()).rest() == b""
        await place.counted(answered=1, lost=1)
