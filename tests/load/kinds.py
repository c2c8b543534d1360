"""The kinds of users. Each is a coroutine that goes on until `load.stopping`, and checks every answer it gets."""

import asyncio
import os
import random

from count import Load
from frames import CLOSE, PING, PONG, TEXT, close_code, open_websocket, read_frame, send_frame
from wire import Failed, Wire


def _request(load: Load, method: str, path: str, body: bytes = b"", *, close: bool = False) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {load.host}:{load.port}", "User-Agent: load"]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _exchange(load: Load, wire: Wire, data: bytes) -> tuple[bytes, bool]:
    """Send a request and read its whole answer: the body, and whether the connection may be used again."""
    wire.requests += 1
    await wire.send(data)
    answer = await wire.head()
    body = await wire.body(answer)
    load.saw(answer.headers.get("x-version", ""))
    if answer.status != 200:
        raise Failed("status", f"{answer.status} {body[:120]!r}")
    return body, not answer.says_close


async def _keep(load: Load, kind: str, data: bytes, expect: bytes | None, wire: Wire | None) -> Wire | None:
    """One request on a kept connection (a new one when it cannot be used): the connection to keep, if any."""
    if wire is not None and not wire.is_usable():
        wire.close()
        load.reopened += 1
        wire = None
    with load.request(kind) as attempt:
        try:
            async with asyncio.timeout(load.patience):
                if wire is None:
                    wire = await Wire.connect(load.host, load.port)
                body, again = await _exchange(load, wire, data)
            if expect is not None and body != expect:
                raise Failed("body", f"{len(body)} bytes, not the {len(expect)} expected: {body[:60]!r}")
        except (Failed, TimeoutError) as error:
            attempt.fail(error)
            again = False
    if wire is not None and not again:
        wire.close()
    return wire if again else None


async def get(load: Load) -> None:
    """Keep-alive GETs, one right after the other."""
    wire = None
    while not load.stopping:
        wire = await _keep(load, "get", _request(load, "GET", load.path), None, wire)
        await asyncio.sleep(load.pause)


async def idle(load: Load) -> None:
    """Keep-alive GETs on a connection that is idle most of the time, so that the server may close it meanwhile."""
    wire = None
    while not load.stopping:
        wire = await _keep(load, "idle", _request(load, "GET", load.path), None, wire)
        await load.rest(random.uniform(0.2, 1.2))


async def new(load: Load) -> None:
    """A new connection for each GET."""
    while not load.stopping:
        await _keep(load, "new", _request(load, "GET", load.path, close=True), None, None)
        await asyncio.sleep(load.pause * 2)


async def post(load: Load) -> None:
    """Keep-alive POSTs of 2 kB that must come back byte by byte."""
    wire = None
    while not load.stopping:
        body = os.urandom(1000).hex().encode() + b"0" * 48
        wire = await _keep(load, "post", _request(load, "POST", "/echo", body), body, wire)
        await asyncio.sleep(load.pause * 2)


async def slow(load: Load) -> None:
    """Requests that take 2 seconds."""
    wire = None
    while not load.stopping:
        wire = await _keep(load, "slow", _request(load, "GET", "/slow"), None, wire)


async def stream(load: Load) -> None:
    """Chunked answers that take 5 seconds (a part each 0.1 s) and must be whole."""
    wire = None
    while not load.stopping:
        expect = b"".join(b"part %d\n" % number for number in range(load.parts))
        wire = await _keep(load, "stream", _request(load, "GET", f"/stream?parts={load.parts}"), expect, wire)


async def ws(load: Load) -> None:
    """WebSockets that echo a message every 0.2 s and may end only with a close frame."""
    while not load.stopping:
        wire = None
        with load.request("ws") as attempt:
            try:
                async with asyncio.timeout(load.patience):
                    wire = await Wire.connect(load.host, load.port)
                    wire.requests += 1
                    load.saw(await open_websocket(wire, f"{load.host}:{load.port}", "/ws"))
                code = await _talk(load, wire)
                load.closes[code] = load.closes.get(code, 0) + 1
            except (Failed, TimeoutError) as error:
                attempt.fail(error)
        if wire is not None:
            wire.close()


async def _talk(load: Load, wire: Wire) -> int:
    """Echo messages until one side closes: the code of the close frame."""
    number = 0
    while True:
        number += 1
        message = b"message %d" % number
        leaving = load.stopping
        try:
            await (send_frame(wire, CLOSE, (1000).to_bytes(2, "big")) if leaving else send_frame(wire, TEXT, message))
        except Failed:
            pass  # the peer may have gone politely; what can still be read tells
        async with asyncio.timeout(load.patience):
            code = await _reply(wire, None if leaving else message)
        if code is not None:
            if not leaving:
                await _farewell(wire, code)
            return code
        await load.rest(0.2)


async def _reply(wire: Wire, expect: bytes | None) -> int | None:
    """Read until the echo (None) or a close frame (its code)."""
    while True:
        opcode, payload = await read_frame(wire)
        if opcode == CLOSE:
            return close_code(payload)
        if opcode == PING:
            await send_frame(wire, PONG, payload)
        elif opcode == TEXT and expect is not None:
            if payload != expect:
                raise Failed("frame", f"echo is {payload[:60]!r}, not {expect!r}")
            return None


async def _farewell(wire: Wire, code: int) -> None:
    """Answer a close frame with one, as the protocol asks; the peer may be gone by now."""
    try:
        await send_frame(wire, CLOSE, code.to_bytes(2, "big"))
    except Failed:
        pass


KINDS = {"get": get, "idle": idle, "new": new, "post": post, "slow": slow, "stream": stream, "ws": ws}
