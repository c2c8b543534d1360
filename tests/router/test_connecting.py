"""Connections to replicas that are not made, or die before they are used: no request and no other client suffers."""

import asyncio
import contextlib
import os
import socket

import pytest
from tests.router.place import Backend, answer, eventually, gated, looped, placed, read_head

from midair.router.embedded.sockets import is_gone, reset

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi"


class Mute:
    """Stands for a replica that answers no attempt to connect: its queue is full until it is made to accept."""

    def __init__(self):
        self._sock = socket.socket()
        self._sock.bind(("127.0.0.1", 0))
        self._sock.listen(0)
        self.port = self._sock.getsockname()[1]
        self._fillers = []
        with contextlib.suppress(TimeoutError):
            while True:
                self._fillers.append(socket.create_connection(("127.0.0.1", self.port), 0.1))

    async def stop(self):
        for sock in (self._sock, *self._fillers):
            sock.close()


@looped
async def test_a_connection_that_is_not_made_for_a_client_that_left_is_not_kept_for_others():
    async with placed(connect_s=0.2, idle_s=0.2) as place:
        place.backends.append(Mute())
        await place.route(*place.backends)
        (replica,) = place.service.replicas()
        client = await place.connect()
        client.send(GET)
        await eventually(lambda: place.inside() == 1)
        client.close()
        await place.counted(aborted=1)
        await eventually(lambda: replica.failures == 1)
        assert not any(replica.pools.values())
        await place.route(await place.backend())
        assert (await place.get())[0].startswith(b"HTTP/1.1 200")
        assert await (await place.connect()).rest() == b"", "the clock goes on: idle connections are closed"


@looped
async def test_a_request_that_is_refused_right_after_its_head_reaches_no_replica():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        client = await place.connect()
        await eventually(lambda: len(place.router.hub.timed) == 2)  # the service is the other one
        connection = place.connection()
        connection.data_received(b"POST / HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.data_received(b"zz\r\n")
        assert (await client.answer())[0].startswith(b"HTTP/1.1 400")
        await place.counted(refused=1)
        await eventually(lambda: backend.open == 1)
        assert connection.upstream is None


@pytest.mark.parametrize("before", [0, 75])
@looped
async def test_an_early_answer_is_passed_on_also_when_the_rest_of_the_request_can_not_be_sent(before):
    reply = answer(b"too much", "413 Content Too Large", b"Connection: close\r\n")

    async def serve(backend, reader, writer):
        await read_head(reader)
        writer.write(reply[:before])
        await unread.wait()
        writer.write(reply[before:])
        await eventually(lambda: not writer.transport.get_write_buffer_size())
        reset(writer.get_extra_info("socket"))
        writer.transport.abort()

    unread = asyncio.Event()
    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 50000000\r\n\r\n" + b"x" * 100)
        await eventually(lambda: place.backends[0].open and place.connection().upstream)
        connection = place.connection()
        await eventually(lambda: connection.answering == bool(before))
        connection.upstream.transport.pause_reading()  # so that the client's next bytes come first
        sock = connection.upstream.transport.get_extra_info("socket")
        unread.set()
        await eventually(lambda: is_gone(sock))
        client.send(b"x" * 100)
        head, body = await client.answer()
        assert (head[:12], body) == (b"HTTP/1.1 413", b"too much")
        await place.counted(answered=1)


@looped
async def test_one_that_cannot_be_looked_at_does_not_stop_the_clock():
    class Broken:
        def look(self, now):
            raise ValueError("broken")

    async with placed(idle_s=0.2) as place:
        await place.route(await place.backend())
        told = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
        place.router.hub.timed.add(Broken())
        for _ in range(2):
            assert await (await place.connect()).rest() == b""
        assert all(isinstance(error, ValueError) for error in told)
        assert told


class Fickle(Backend):
    """Takes connections, and closes each at once before the first request."""

    async def start(self, port=0):
        self._sock = socket.create_server(("127.0.0.1", port))
        self._sock.setblocking(False)
        self.port = self._sock.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._sock, self._accept)
        return self

    def _accept(self):
        taken, _ = self._sock.accept()
        taken.close()
        self.connections += 1

    async def stop(self):
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()


@looped
async def test_a_connection_that_dies_before_it_is_used_has_not_seen_the_request():
    async with placed() as place:
        fickle, live = await Fickle().start(), await place.backend()
        place.backends.append(fickle)
        await place.route(fickle, live)
        client = await place.connect()
        for _ in range(10):
            assert (await client.ask(POST))[1].endswith(b"hi")
        assert fickle.connections > 2
        await place.counted(answered=10)


class Deaf(Backend):
    """Takes connections and reads nothing; the kernel keeps little for it."""

    async def start(self, port=0):
        self._sock = socket.socket()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 88)
        self._sock.bind(("127.0.0.1", port))
        self._sock.listen()
        self.port = self._sock.getsockname()[1]
        return self

    async def stop(self):
        self._sock.close()


@looped
async def test_a_client_that_was_slowed_down_for_a_replica_is_not_for_the_next_one():
    async with placed() as place:
        deaf, live = await Deaf().start(), await place.backend()
        place.backends.append(deaf)
        await place.route(hold=True)
        for (
            listener
        ) in place.router.listeners.values():  # so that more comes at once than a dead replica's kernel takes
            for sock in listener.sockets:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**20)
        client = await place.connect()
        body = b"x" * 900_000
        client.send(b"PUT / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await eventually(lambda: place.service.seen().held == 1)
        connection = place.connection()
        await eventually(lambda: connection.paused == {"connecting"})
        await place.route(deaf)
        await eventually(lambda: connection.paused == {"upstream"})
        await place.route(live)
        await deaf.stop()
        assert (await client.answer())[1].endswith(body)
        await place.counted(answered=1)


@looped
async def test_a_replica_that_was_drained_while_it_took_no_connections_is_tried_again_when_it_is_routed_again():
    async with placed() as place:
        gate, started = asyncio.Event(), asyncio.Event()
        one, other = await place.backend(gated(gate, started)), await place.backend()
        other.revision = "bbbb"  # or it would be given all requests: it is less busy
        await place.route(one)
        inside = await place.connect()
        inside.send(GET)
        await started.wait()
        one.stop_accepting()
        await place.route(one, other)
        for _ in range(6):
            await place.get()
        assert place.service.seen().failing
        await place.route(other)
        await eventually(lambda: not place.router.hub._tasks)  # nothing looks after it any more
        back = await Backend().start(one.port)
        place.backends.append(back)
        await place.route(one, other)
        for _ in range(4):
            await place.get()
        assert back.requests
        gate.set()
        await inside.answer()


@looped
async def test_a_body_where_none_may_be_is_no_answer_to_the_next_client():
    async def serve(backend, reader, writer):
        while head := await read_head(reader):
            backend.writer = writer
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + (b"" if head[:4] == b"HEAD" else b"good"))

    async with placed() as place:
        backend = await place.backend(serve)
        await place.route(backend)
        client = await place.connect()
        client.send(b"HEAD / HTTP/1.1\r\nHost: web\r\n\r\n")
        await read_head(client.reader)
        stray = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        os.write(backend.writer.get_extra_info("socket").fileno(), stray)
        place.connection().data_received(GET)  # before the router has read that
        assert (await client.answer())[1] == b"good"
        await place.counted(answered=2)
