"""What is passed on, both ways, and what is changed on the way."""

import asyncio
import re
import socket

import pytest
from tests.router.place import answer, eventually, free_port, looped, placed, read_head, read_message, says

from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.model.seen import Route

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"


def field(head, name):
    """The values of a header, in order."""
    return re.findall(rb"(?i)\n" + name.encode() + rb": *([^\r]*)\r", head)


@looped
async def test_a_request_and_its_answer_pass_nearly_verbatim():
    async with placed() as place:
        await place.route(await place.backend())
        head, body = await (await place.connect()).ask(b"GET /a?b=c HTTP/1.1\r\nhost: WEB\r\nX-One:  two \r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert body.startswith(b"GET /a?b=c HTTP/1.1\r\nhost: WEB\r\nX-One:  two \r\n")
        await place.counted(answered=1)


@looped
async def test_forwarding_headers_say_who_asked_and_spoofed_ones_are_replaced():
    async with placed() as place:
        await place.route(await place.backend())
        head = (b"GET / HTTP/1.1\r\nHost: web\r\nX-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\n"
                b"X_Forwarded_Host: evil\r\nX-Forwarded-Host: evil\r\n\r\n")  # fmt: skip
        _, seen = await (await place.connect()).ask(head)
        assert field(seen, "X-Forwarded-For") == [b"9.9.9.9, 127.0.0.1"]
        assert field(seen, "X-Forwarded-Proto") == [b"http"]
        assert field(seen, "X-Forwarded-Host") == [b"web"]
        assert b"evil" not in seen


@looped
async def test_a_port_without_a_host_is_open_on_every_address_and_ipv6_clients_are_named_rightly():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend, ports=(Port(place.port, 80),))
        for address in ("127.0.0.1", "::1"):
            try:
                reader, writer = await asyncio.open_connection(address, place.port)
            except OSError:
                if address == "127.0.0.1":
                    raise
                pytest.skip("this machine has no IPv6")
            writer.write(GET)
            _, seen = await read_message(reader)
            assert field(seen, "X-Forwarded-For") == [address.encode()]
            writer.close()


@looped
async def test_a_request_id_is_kept_if_it_is_sane_and_made_if_not():
    async with placed() as place:
        await place.route(await place.backend())
        client = await place.connect()
        _, kept = await client.ask(b"GET / HTTP/1.1\r\nHost: web\r\nX-Request-Id: abc-1\r\n\r\n")
        _, one = await client.ask(GET)
        _, other = await client.ask(b"GET / HTTP/1.1\r\nHost: web\r\nX-Request-Id: <script>\r\n\r\n")
        assert field(kept, "X-Request-Id") == [b"abc-1"]
        assert len({*field(one, "X-Request-Id"), *field(other, "X-Request-Id")} - {b"<script>"}) == 2


@looped
async def test_headers_of_one_hop_stay_on_it():
    async with placed() as place:
        await place.route(await place.backend(says(answer(extra=b"Keep-Alive: timeout=5\r\nConnection: X-Hop\r\n"))))
        head, _ = await (await place.connect()).ask(
            b"GET / HTTP/1.1\r\nHost: web\r\nConnection: keep-alive, X-Mine, Host\r\nX-Mine: 1\r\nTE: trailers\r\n"
            b"Keep-Alive: 5\r\nProxy: evil\r\nProxy-Connection: keep-alive\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n\r\n"
        )
        (seen,) = place.backends[0].requests
        assert {line.split(b":")[0] for line in seen.split(b"\r\n")[1:-2]} == {
            b"Host", b"X-Forwarded-Proto", b"X-Forwarded-Host", b"X-Forwarded-For", b"X-Request-Id",
        }  # fmt: skip
        assert b"Keep-Alive" not in head
        assert b"Connection" not in head


@looped
async def test_one_connection_carries_many_requests_both_ways():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        for number in range(20):
            _, body = await client.ask(b"GET /%d HTTP/1.1\r\nHost: web\r\n\r\n" % number)
            assert body.startswith(b"GET /%d " % number)
        assert backend.connections == 1
        await place.counted(answered=20)


@looped
async def test_pipelined_requests_are_answered_in_order():
    async with placed() as place:
        await place.route(await place.backend(), await place.backend())
        client = await place.connect()
        asked = b"".join(
            b"POST /%d HTTP/1.1\r\nHost: web\r\nContent-Length: 3\r\n\r\nabc" % number if number % 2 else
            b"GET /%d HTTP/1.1\r\nHost: web\r\n\r\n" % number for number in range(50)
        )  # fmt: skip
        for place_of_cut in range(0, len(asked), 700):
            client.send(asked[place_of_cut : place_of_cut + 700])
        for number in range(50):
            _, body = await client.answer()
            assert re.match(rb"\w+ /%d " % number, body)
        await place.counted(answered=50)


@looped
async def test_a_head_may_come_one_byte_at_a_time():
    async with placed() as place:
        await place.route(await place.backend())
        client = await place.connect()
        for byte in b"\r\n" + GET:
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.answer())[0].startswith(b"HTTP/1.1 200")


@looped
async def test_chunks_and_trailers_pass_both_ways_as_they_are():
    body = b"5;ext=1\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"
    seen = []

    async def serve(backend, reader, writer):
        await read_head(reader)
        seen.append(await reader.readuntil(b"\r\nX-Sum: 1\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + body)
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        head = b"POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"
        for byte in head + body:
            client.send(bytes([byte]))
            await asyncio.sleep(0)
        assert b"Transfer-Encoding: chunked" in await read_head(client.reader)
        assert await client.read(len(body)) == body
        assert seen == [body]
        await place.counted(answered=1)


@pytest.mark.parametrize(
    ("method", "reply"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n"),
    ],
)
@looped
async def test_answers_without_a_body_end_with_their_head(method, reply):
    async with placed() as place:
        backend = await place.backend(says(reply))
        await place.route(backend)
        client = await place.connect()
        for _ in range(2):
            client.send(method + b" / HTTP/1.1\r\nHost: web\r\n\r\n")
            assert await read_head(client.reader) == reply
        assert backend.connections == 1
        await place.counted(answered=2)


@looped
async def test_continue_and_early_hints_are_passed_on():
    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
        writer.write(answer(await reader.readexactly(5)))
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert (await read_head(client.reader)).startswith(b"HTTP/1.1 103 ")
        assert await read_head(client.reader) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert (await client.ask(b"hello"))[1] == b"hello"
        await place.counted(answered=1)


@looped
async def test_an_answer_before_the_body_has_come_ends_the_connection_and_is_whole():
    async with placed() as place:
        await place.route(await place.backend(says_early))
        client = await place.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 100_000)
        head, body = await client.answer()
        assert head.startswith(b"HTTP/1.1 413 ")
        assert b"\r\nConnection: close\r\n" in head
        assert body == b"too much"
        client.send(b"x" * 100_000)
        assert await client.rest() == b""
        await place.counted(answered=1)


async def says_early(backend, reader, writer):
    await read_head(reader)
    writer.write(answer(b"too much", "413 Content Too Large", b"Connection: close\r\n"))
    await writer.drain()
    await reader.read()


@looped
async def test_an_answer_that_ends_with_its_connection_ends_the_clients_too():
    async with placed() as place:
        await place.route(await place.backend(says(b"HTTP/1.0 200 OK\r\n\r\nall of it", then_close=True)))
        client = await place.connect()
        client.send(GET)
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it"
        await place.counted(answered=1)


@pytest.mark.parametrize("asked", [b"Connection: keep-alive\r\n", b""])
@looped
async def test_http_1_0_clients_are_served_and_kept_if_they_ask(asked):
    async with placed() as place:
        await place.route(await place.backend())
        client = await place.connect()
        head, body = await client.ask(b"GET / HTTP/1.0\r\n" + asked + b"\r\n")
        assert field(head, "Connection") == [b"keep-alive" if asked else b"close"]
        assert body.startswith(b"GET / HTTP/1.0\r\n")
        assert field(body, "Connection") == [b"close"]
        if asked:
            assert (await client.ask(b"GET /2 HTTP/1.0\r\n" + asked + b"\r\n"))[1].startswith(b"GET /2 ")
        else:
            assert await client.rest() == b""


@looped
async def test_an_http_1_0_client_is_given_no_chunks():
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX: y\r\n\r\n"
    async with placed() as place:
        await place.route(await place.backend(says(reply)))
        client = await place.connect()
        client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"
        await place.counted(answered=1)


@looped
async def test_a_client_that_wants_to_close_is_told_so_and_closed():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        head, _ = await client.ask(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        assert field(head, "Connection") == [b"close"]
        assert await client.rest() == b""
        await place.get()
        assert backend.connections == 1  # the connection to the replica is another matter


@pytest.mark.parametrize(
    ("line", "host", "passed"),
    [
        (b"GET http://web/a?b HTTP/1.1", b"web", b"GET /a?b HTTP/1.1"),
        (b"GET http://web:80/ HTTP/1.1", b"web", b"GET / HTTP/1.1"),
        (b"GET HTTPS://[::1]:0443?b HTTP/1.1", b"[::1]", b"GET /?b HTTP/1.1"),
        (b"OPTIONS http://web HTTP/1.1", b"web", b"OPTIONS * HTTP/1.1"),
        (b"OPTIONS http://web/ HTTP/1.1", b"web", b"OPTIONS / HTTP/1.1"),
        (b"GET http://web/a HTTP/1.0", b"web", b"GET /a HTTP/1.0"),
        (b"GET http://web:81/a HTTP/1.0", None, b"GET /a HTTP/1.0"),
    ],
)
@looped
async def test_an_absolute_target_becomes_a_path(line, host, passed):
    async with placed() as place:
        await place.route(await place.backend())
        fields = b"" if host is None else b"Host: " + host + b"\r\n"
        _, seen = await (await place.connect()).ask(line + b"\r\n" + fields + b"\r\n")
        assert seen.startswith(passed + b"\r\n")
        assert field(seen, "Host") == field(seen, "X-Forwarded-Host") == [host or b"web:81"]


@looped
async def test_connection_cannot_nominate_what_a_proxy_says():
    async with placed() as place:
        await place.route(await place.backend())
        names = b"Forwarded, X-Real-IP, X-Forwarded-Port, X-Forwarded-For"
        said = b"Forwarded: for=1\r\nX-Real-IP: 1.1.1.1\r\nX-Forwarded-Port: 443\r\n"
        _, seen = await (await place.connect()).ask(GET[:-2] + b"Connection: " + names + b"\r\n" + said + b"\r\n")
        assert said in seen


@looped
async def test_a_replica_that_reads_slowly_slows_its_client_down():
    sent = 0
    goon = asyncio.Event()

    async def serve(backend, reader, writer):
        await read_head(reader)
        await goon.wait()
        writer.write(answer(b"%d" % len(await reader.readexactly(sent))))
        await reader.read()

    async with placed() as place:
        backend = await place.backend(serve)
        await place.route(backend)
        for listening in (backend.listening, *next(iter(place.router.listeners.values())).sockets):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)  # or kernels take in tens of megabytes
        client = await place.connect()
        size = 64 * 2**20
        client.send(b"PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n" % size)
        part = b"x" * 2**20
        try:
            async with asyncio.timeout(1):
                while sent < size:
                    client.send(part)
                    sent += len(part)
                    await client.writer.drain()
                    await asyncio.sleep(0.01)
        except TimeoutError:
            pass
        assert sent < size / 2, "it was all taken in"
        client.reset()
        await place.counted(aborted=1)


@looped
async def test_a_client_that_reads_slowly_slows_the_replica_down():
    written = 0

    async def serve(backend, reader, writer):
        nonlocal written
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 2**18)
            await writer.drain()
            written += 2**18

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.writer.transport.pause_reading()
        client.send(GET)
        await eventually(lambda: written > 2**18)
        before = -1
        while before != written:
            before = written
            await asyncio.sleep(0.3)
        assert written < 50 * 2**20
        client.reset()
        await place.counted(aborted=1)


@looped
async def test_large_bodies_arrive_whole_both_ways():
    async with placed() as place:
        await place.route(await place.backend())
        client = await place.connect()
        body = bytes(range(256)) * 40_000
        for _ in range(2):
            head = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n" % len(body)
            _, back = await client.ask(head + body)
            assert back.endswith(body)


@looped
async def test_services_on_two_ports_do_not_mix():
    async with placed() as place:
        one, other = await place.backend(says(answer(b"one"))), await place.backend(says(answer(b"other")))
        await place.route(one)
        first = place.port
        place.port = free_port()
        routes = (Route("api/bbbb/0", f"127.0.0.1:{other.port}"),)
        await place.router.perform(SetRoutes("api", 1, routes, ports=(Port(place.port, 80),)))
        assert (await place.get())[1] == b"other"
        place.port = first
        assert (await place.get())[1] == b"one"
