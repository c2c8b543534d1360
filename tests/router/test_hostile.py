"""Nothing that two parsers could read differently reaches a replica, and nobody can hold the router up."""

import asyncio
import contextlib
import os
import socket

import h11
import pytest
from tests.router.corpus import CORPUS, HEAD_ONLY
from tests.router.place import Client, answer, eventually, looped, placed, read_head, says

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
# h11 takes these, as the older standards allow or because they are a matter of policy; the router does not.
STRICTER = {
    "CL and TE", "TE and CL", "the same length twice", "a list of lengths", "TE on a folded line",
    "TE after a bare LF", "TE in HTTP/1.0", "LF alone everywhere", "LF alone after the request line",
    "LF alone after a header", "DEL in a value", "a folded header", "HTTP/0.9", "HTTP/2.0", "HTTP/1.2", "CONNECT",
    "a target without a slash", "a star for GET", "an absolute target elsewhere", "an absolute target with a user",
    "an absolute target by file", "HTTP/2 with prior knowledge", "an SSH client", "a Host with a space",
    "a Host with a slash", "a Host with a user", "too many headers", "a huge head", "a head of a megabyte",
    "a huge target", "a chunk size with a space", "a chunk size beyond numbers", "a chunk extension with CR",
    "an endless chunk extension", "a trailer that is a length", "a folded trailer", "a trailer with LF alone",
    "endless trailers", "an absolute target with another port", "an absolute target with the other default port",
    "an absolute target without a host", "an absolute target in HTTP/1.0 beside a Host",
    "an absolute target in HTTP/1.0 with a bad host", *(f"a trailer that is {name}" for name in HEAD_ONLY),
}  # fmt: skip
LENIENT = {"empty lines first"}  # RFC 9112, 2.2: a server should ignore them


@pytest.mark.parametrize(("name", "data", "expected"), CORPUS, ids=[name for name, _, _ in CORPUS])
@looped
async def test_each_of_the_corpus(name, data, expected):
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        client.send(data)
        head = await asyncio.wait_for(read_head(client.reader), 5)
        if expected == "pass":
            assert head.startswith(b"HTTP/1.1 200 "), head
            await place.counted(answered=1)
        else:
            assert head.startswith(b"HTTP/1.1 %d " % expected), head
            assert b"\r\nConnection: close\r\n" in head
            assert b"HTTP/1.1 200 " not in await client.rest()
            assert not any(b"/admin" in seen for seen in backend.requests)
            await place.counted(refused=1)


def taken_by_h11(data):
    """Whether h11, as a server, takes it for a whole request."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=2**17)
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return True
    except h11.RemoteProtocolError:
        return False


def test_the_router_takes_nothing_that_h11_refuses():
    taken = {name: taken_by_h11(data) for name, data, _ in CORPUS}
    passed = {name: expected == "pass" for name, _, expected in CORPUS}
    assert {name for name in passed if passed[name] and not taken[name]} == LENIENT
    assert {name for name in passed if taken[name] and not passed[name]} == STRICTER


@looped
async def test_a_refused_client_is_told_why_even_when_it_goes_on_sending():
    async with placed() as place:
        await place.route(await place.backend())
        client = await place.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\nX Y: z\r\n\r\n" + b"x" * 3_000_000)
        head, body = await client.answer()
        assert head.startswith(b"HTTP/1.1 400 ")
        assert body == b"a header name is malformed\n"
        await place.counted(refused=1)


@looped
async def test_a_slow_head_is_given_up():
    async with placed(head_s=0.2) as place:
        await place.route(await place.backend())
        client = await place.connect()
        client.send(b"GET / HT")
        await asyncio.sleep(0.1)
        client.send(b"TP/1.1\r\n")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 408 ")
        assert await client.rest() == b""
        await place.counted(refused=1)


@looped
async def test_a_body_that_stops_coming_is_given_up():
    async with placed(body_s=0.2) as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 10\r\n\r\nhalf")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 408 ")
        await eventually(lambda: backend.open == 0)
        await place.counted(refused=1)


@looped
async def test_an_idle_client_is_let_go_without_a_count():
    async with placed(idle_s=0.2) as place:
        await place.route(await place.backend())
        assert await (await place.connect()).rest() == b""
        await place.counted()


@looped
async def test_a_client_that_never_reads_is_let_go():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 2**18)
            await writer.drain()

    async with placed(stall_s=0.3) as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.writer.transport.pause_reading()
        client.send(GET)
        await place.counted(aborted=1)


@looped
async def test_a_client_that_pipelines_without_reading_is_not_read_either():
    async with placed(stall_s=5) as place:
        backend = await place.backend(says(answer(b"x" * 100_000)))
        await place.route(backend)
        client = await place.connect()
        client.writer.transport.pause_reading()
        client.send(GET * 50_000)
        before = -1
        while before != len(backend.requests):
            before = len(backend.requests)
            await asyncio.sleep(0.2)
        assert before < 2_000
        client.reset()
        await eventually(lambda: place.tally().aborted == 1)


@looped
async def test_garbage_of_every_length_is_refused_or_waited_for():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        for size in (1, 2, 3, 10, 100, 65_000, 66_000, 200_000):
            client = await place.connect()
            client.send(b"\xff" * size)
            client.close()
        await eventually(lambda: place.tally().accepted == 8)
        assert not backend.requests


async def one_that_reads_when_told(place):
    """A client that reads nothing by itself, and for whom the kernel keeps little."""
    for listener in place.router.listeners.values():
        for sock in listener.sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", place.port))
    place.clients.append(Client(*await asyncio.open_connection(sock=sock, limit=2**24)))
    place.clients[-1].writer.transport.pause_reading()
    return place.clients[-1]


LAST = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


@looped
async def test_a_client_that_never_reads_the_last_bytes_is_let_go():
    async with placed(stall_s=0.3) as place:
        await place.route(await place.backend(says(answer(b"x" * 60_000))))
        client = await one_that_reads_when_told(place)
        client.send(LAST)
        await place.counted(answered=1)
        await eventually(lambda: place.router.hub.timed == {place.service})


@pytest.mark.parametrize("protocol", ["http", "tcp"])
@looped
async def test_a_client_that_reads_slowly_gets_all_of_it(protocol):
    async with placed(stall_s=0.4) as place:
        reply = answer(b"x" * 500_000)
        await place.route(await place.backend(says(reply, then_close=True)), protocol=protocol)
        client = await one_that_reads_when_told(place)
        client.send(LAST)
        left = len(reply) if protocol == "tcp" else len(reply) + len(b"Connection: close\r\n")
        descriptor = client.writer.get_extra_info("socket").fileno()
        while left:
            with contextlib.suppress(BlockingIOError):
                data = os.read(descriptor, 8192)
                assert data, f"cut with {left} bytes to come"
                left -= len(data)
            await asyncio.sleep(0.02)
        client.close()
        await place.counted(answered=1)


@looped
async def test_a_client_with_more_to_say_gets_the_whole_answer_however_slowly_it_reads():
    async with placed(linger_s=0.1) as place:
        await place.route(await place.backend(says(answer(b"x" * 60_000))))
        client = await one_that_reads_when_told(place)
        client.send(LAST + b"more")
        await place.counted(answered=1)
        await asyncio.sleep(0.4)
        client.writer.transport.resume_reading()
        assert (await client.answer())[1] == b"x" * 60_000


@looped
async def test_a_refused_client_may_go_on_sending_for_longer_than_it_takes_to_read_why():
    async with placed(linger_s=0.3) as place:
        await place.route(await place.backend())
        client = await place.connect()
        client.writer.transport.pause_reading()
        client.send(b"GET / HTTP/1.1\r\nHost: web\r\nX Y: z\r\n\r\n")
        for _ in range(12):
            await asyncio.sleep(0.05)
            client.send(b"x" * 1000)
        client.writer.transport.resume_reading()
        assert (await client.answer())[0].startswith(b"HTTP/1.1 400 ")
        assert await client.rest() == b""
        await place.counted(refused=1)


@looped
async def test_the_kernel_asks_quiet_clients_whether_they_are_there():
    async with placed() as place:
        await place.route(await place.backend())
        await place.connect()
        await eventually(lambda: len(place.router.hub.timed) == 2)
        sock = place.connection().transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) < 600


@looped
async def test_an_empty_line_after_a_request_is_no_request():
    async with placed(head_s=0.1) as place:
        await place.route(await place.backend())
        client = await place.connect()
        await client.ask(GET)
        for byte in b"\r\n":
            client.send(bytes([byte]))
            await asyncio.sleep(0.2)
        assert (await client.ask(GET))[0].startswith(b"HTTP/1.1 200")
        await place.counted(answered=2)
