"""The load client itself can be believed: it sees what goes wrong, and nothing that does not."""

import asyncio
import base64
import hashlib
import json
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

CLIENT = Path(__file__).parent


async def run_client(port, *arguments):
    """The report of the client after a short run."""
    command = (sys.executable, str(CLIENT), f"127.0.0.1:{port}", "--seconds", "0.4", "--pause", "0.01", *arguments)
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await child.communicate()
    report = json.loads(out.splitlines()[-1])
    assert child.returncode == (1 if report["failed"] else 0)
    return report


@asynccontextmanager
async def serving(answer):
    """A server that calls `answer(request, number, reader, writer)`; what that returns says whether to go on."""
    numbers = iter(range(10**9))

    async def connection(reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int((re.search(rb"Content-Length: (\d+)", head) or [b"", b"0"])[1])
                body = await reader.readexactly(length)
                if not await answer((head, body), next(numbers), reader, writer):
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def plain(body, status="200 OK"):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nX-Version: v1\r\n\r\n".encode() + body


CHUNK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npart 0\n\r\n"


async def good(request, number, reader, writer):
    head, body = request
    writer.write(plain(body or b"hello"))
    return b"Connection: close" not in head


def failing(kinds, answer, *arguments):
    """Run one kind of user against a server that answers in a bad way."""

    async def run():
        async with serving(answer) as port:
            return await run_client(port, *(f"--{kind}=2" for kind in kinds), *arguments)

    return asyncio.run(run())


def test_a_good_server_has_no_failures_and_every_request_is_counted():
    served = []

    async def answer(request, number, reader, writer):
        served.append(number)
        return await good(request, number, reader, writer)

    report = failing(["get", "new", "post", "idle"], answer)
    assert report["failed"] == 0
    assert report["requests"] == len(served) == report["versions"]["v1"]
    assert all(kind["requests"] > 1 for kind in report["by_kind"].values())


def test_a_connection_that_was_closed_while_idle_is_no_failure():
    async def answer(request, number, reader, writer):
        await good(request, number, reader, writer)
        return False

    report = failing(["idle", "get"], answer)
    assert report["failed"] == 0
    assert report["reopened"] > 1


def test_a_connection_that_ends_without_an_answer_is_a_failure():
    async def answer(request, number, reader, writer):
        return number % 5 != 4 and await good(request, number, reader, writer)

    report = failing(["get"], answer)
    assert 0 < report["failed"] < report["requests"]
    assert "head: the connection ended" in report["failures"][0]["why"]


@pytest.mark.parametrize(
    ("kind", "data", "why"),
    [
        ("get", plain(b"oops", "502 Bad Gateway"), "status: 502 b'oops'"),
        ("new", plain(b"oops", "500 Internal Server Error"), "status: 500"),
        ("get", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "body: the connection ended"),
        ("get", b"HTTP/1.1 200 OK\r\n\r\nunbounded", "neither a length nor chunks"),
        ("get", b"garbage\r\n\r\n", "is no status line"),
        ("post", plain(b"something else"), "not the 2048 expected"),
        ("stream", CHUNK, "chunk: the connection ended"),
        ("stream", CHUNK + b"0\r\n\r\n", "7 bytes, not the 390 expected"),
        ("ws", plain(b"no"), "upgrade: status 200"),
    ],
)
def test_a_bad_answer_is_a_failure_with_its_detail(kind, data, why):
    async def answer(request, number, reader, writer):
        writer.write(data)
        await writer.drain()
        return False

    report = failing([kind], answer, "--pause=0.05")
    assert report["failed"] == report["requests"] > 0
    assert why in report["failures"][0]["why"]
    assert report["failures"][0]["kind"] == kind


def test_an_answer_that_never_comes_is_a_failure():
    async def answer(request, number, reader, writer):
        await reader.read()

    report = failing(["get"], answer, "--patience=0.3")
    assert report["failed"] == report["requests"] > 0
    assert "no answer within 0.3 s" in report["failures"][0]["why"]


def test_a_refused_connection_is_a_failure():
    async def run():
        async with serving(good) as port:
            pass
        return await run_client(port, "--new=1")

    report = asyncio.run(run())
    assert report["failed"] == report["requests"] > 0
    assert report["failures"][0]["why"].startswith("connect:")


def websocket(ending):
    """A server that echoes two messages and then ends the connection with these bytes."""

    async def answer(request, number, reader, writer):
        key = re.search(rb"Sec-WebSocket-Key: (\S+)", request[0])[1]
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        for _ in range(2):
            opcode, payload = await read_masked(reader)
            if opcode == 8:
                writer.write(bytes([0x88, len(payload)]) + payload)
                return False
            writer.write(bytes([0x81, len(payload)]) + payload)
        writer.write(ending)
        return False

    return answer


async def read_masked(reader):
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    data = await reader.readexactly(second & 0x7F)
    return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


def test_a_websocket_may_end_with_a_close_frame():
    report = failing(["ws"], websocket(b"\x88\x02" + (1012).to_bytes(2, "big")))
    assert report["failed"] == 0
    assert report["closes"]["1012"] > 0


def test_a_websocket_that_ends_without_a_close_frame_is_a_failure():
    report = failing(["ws"], websocket(b""))
    assert report["failed"] > 0
    assert "frame: " in report["failures"][0]["why"]
