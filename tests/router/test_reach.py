"""The router connects once to what it will route to, and reports what came of it."""

import asyncio
from contextlib import asynccontextmanager

from tests.router.place import eventually, free_port, looped

from midair.model.action import Candidate
from midair.model.ids import ReplicaId
from midair.router.embedded.reach import Reaching

WEB = ReplicaId("web/a/0")


def candidate(*ports, http=(), turn=0):
    return Candidate(WEB, 1, "127.0.0.1:*", ports, http, turn)


@asynccontextmanager
async def listening(talk, port=0):
    """A server, and how many connections came to it."""
    came = []

    async def take(reader, writer):
        came.append(writer)
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1], came
    finally:
        server.close()


async def says_nothing(reader, writer):
    await reader.read()


def states(reaching):
    return [(one.port, one.state) for one in reaching.seen()]


@looped
async def test_port_is_connected_to_once():
    reaching = Reaching(1.0, lambda: None)
    async with listening(says_nothing) as (port, came):
        reaching.want([candidate(port)])
        await eventually(lambda: states(reaching) == [(port, "connected")])
        reaching.want([candidate(port)])
        await asyncio.sleep(0.1)
        assert len(came) == 1
        reaching.want([candidate(port, turn=1)])
        await eventually(lambda: len(came) == 2)


@looped
async def test_refused_port_is_tried_until_it_listens():
    told = []
    reaching, port = Reaching(1.0, lambda: told.append(1)), free_port()
    reaching.want([candidate(port)])
    await eventually(lambda: states(reaching) == [(port, "refused")])
    assert reaching.seen()[0].reason == f"connection refused on port {port}"
    told.clear()
    async with listening(says_nothing, port):
        await eventually(lambda: states(reaching) == [(port, "connected")])
        assert told


@looped
async def test_http_port_counts_when_it_answers_anything():
    loaded, heard = asyncio.Event(), []

    async def loads(reader, writer):
        await loaded.wait()
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 501 Not Implemented\r\n\r\n")

    reaching = Reaching(1.0, lambda: None)
    async with listening(loads) as (port, came):
        reaching.want([candidate(port, http=(port,))])
        await eventually(lambda: states(reaching) == [(port, "connected")])
        assert "OPTIONS *" in reaching.seen()[0].reason
        loaded.set()
        await eventually(lambda: states(reaching) == [(port, "answered")])
        assert heard[0].startswith(b"OPTIONS * HTTP/1.1\r\n")
        assert len(came) == 1


@looped
async def test_replica_that_is_no_candidate_is_left_alone():
    reaching, port = Reaching(1.0, lambda: None), free_port()
    reaching.want([candidate(port)])
    reaching.want([])
    async with listening(says_nothing, port) as (_, came):
        await asyncio.sleep(0.1)
        assert (reaching.seen(), came) == ((), [])
