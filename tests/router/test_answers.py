"""Answers that are written less strictly than RFC 9112 asks: what of them reaches the client, and what stays behind."""

import asyncio

import pytest
from tests.router.place import looped, placed, read_head, says

from midair.router.embedded.answer import BadAnswer, find_head, known_lines, parse_answer

GET = b"GET / HTTP/1.1\r\nHost: web\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


async def asked(reply, request=GET, *, cut=0):
    """What a client gets when the replica answers so; `cut`: in pieces of so many bytes."""

    async def serve(backend, reader, writer):
        await read_head(reader)
        for place in range(0, len(reply), cut or len(reply)):
            writer.write(reply[place : place + (cut or len(reply))])
            await asyncio.sleep(0)
        await reader.read()

    async with placed() as place:
        await place.route(await place.backend(serve))
        client = await place.connect()
        client.send(request)
        heads = [await read_head(client.reader)]
        while heads[-1].startswith(b"HTTP/1.1 1"):
            heads.append(await read_head(client.reader))
        body = await client.read(2) if b"Content-Length: 2" in heads[-1] else b""
        return heads, body


@pytest.mark.parametrize("number", [600, 5_000])
@looped
async def test_hundreds_of_interim_answers_all_pass(number):
    heads, body = await asked(HINTS * number + OK)
    assert (len(heads), body) == (number + 1, b"ok")


@looped
async def test_old_clients_get_no_interim_answers():
    heads, body = await asked(HINTS * 600 + OK, b"GET / HTTP/1.0\r\n\r\n")
    assert (len(heads), body) == (1, b"ok")


@pytest.mark.parametrize("cut", [0, 1])
@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\nok",
        b"HTTP/1.1 200 OK\nX: y\nContent-Length: 2\n\nok\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length:\r\n\t2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length \t: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok",
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
@looped
async def test_loosely_written_answers_arrive_strictly_written(reply, cut):
    heads, body = await asked(reply, cut=cut)
    head = heads[-1]
    assert body == b"ok"
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.count(b"\n") == head.count(b"\r\n")
    assert head.count(b"\r\nContent-Length: 2\r\n") == 1


@pytest.mark.parametrize(
    "reply", [b"\r\n" * 20 + OK, b"HTTP/1.1 200 OK\nX: a\rb\n\n", b"\n" * 70_000, b"HTTP/1.1 200 OK\n" + b"x" * 70_000]
)
@looped
async def test_unreadable_head_is_a_bad_gateway(reply):
    heads, _ = await asked(reply)
    assert heads[-1].startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("status", [b"204 No Content", b"103 Early Hints", b"100 Continue"])
@pytest.mark.parametrize("field", [b"Content-Length: 5", b"content-length: 0", b"Transfer-Encoding: chunked"])
@looped
async def test_statuses_without_a_body_announce_none(status, field):
    rest = b"0\r\n\r\n" if b"204" in status and b"chunked" in field else b""
    after = OK if status.startswith(b"1") else b""
    heads, _ = await asked(b"HTTP/1.1 " + status + b"\r\nX: y\r\n" + field + b"\r\n\r\n" + rest + after)
    assert heads[0] == b"HTTP/1.1 " + status + b"\r\nX: y\r\n\r\n"


@looped
async def test_connection_after_mute_answer_is_not_reused():
    async with placed() as place:
        backend = await place.backend(says(b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"))
        await place.route(backend)
        client = await place.connect()
        for _ in range(3):
            client.send(GET)
            assert (await read_head(client.reader)).startswith(b"HTTP/1.1 204 ")
        assert backend.connections == 3
        await place.counted(answered=3)


@looped
async def test_old_clients_see_no_chunks_for_head():
    heads, _ = await asked(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HEAD / HTTP/1.0\r\n\r\n")
    assert heads == [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]


@looped
async def test_status_out_of_range_counts_as_5xx():
    async with placed() as place:
        await place.route(await place.backend(says(b"HTTP/1.1 999 Denied\r\nContent-Length: 2\r\n\r\nno")))
        assert (await place.get())[0].startswith(b"HTTP/1.1 999 Denied\r\n")
        (count,) = (count for count in place.router.observe().counts if count.revision)
        assert count.by_status["5xx"] == 1


def parsed(head):
    return parse_answer(head, known_lines())


def test_headers_nominated_by_connection_stay_on_their_hop():
    head = b"HTTP/1.1 200 OK\r\nConnection: X-Hop, Set-Cookie\r\nx-hop: 1\r\nSet-Cookie: a\r\nX: y\r\n\r\n"
    assert parsed(head).head == b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX: y\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Keep-Alive, Close\r\n\r\n", False),
    ],
)
def test_doubtful_framing_is_not_reused(head, reusable):
    assert parsed(head).reusable == reusable


def test_strict_head_reads_the_same_loosely():
    assert find_head(OK) == (OK[:-2], len(OK) - 2)
    assert find_head(OK[:30]) == (b"", 0)
    with pytest.raises(BadAnswer):
        parsed(find_head(b"HTTP/1.1 200 OK\nContent-Length: 1, 2\n\n")[0])
