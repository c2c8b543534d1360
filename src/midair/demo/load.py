"""The demo's users: a steady mix of requests, counted as they end. They know an address and nothing of midair."""

import asyncio
import base64
import os
import random
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable

PATIENCE_S = 20.0
STREAM_PARTS = 15
NAMES = {
    "get": "keep-alive", "new": "new connection", "post": "POST", "slow": "2-second",
    "stream": "stream", "ws": "WebSocket",
}  # fmt: skip


class Lost(Exception):
    """A request that was not answered as it should have been."""


class Users:
    """All users of one address. `answered` and `lost` are by kind."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answered: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.closed_politely = 0  # WebSockets that the server ended with a close frame
        self.first_loss = ""
        self.slowest_s = 0.0  # of the quick requests
        self.leaving = False

    async def run(self, kind: str) -> None:
        """One user of a kind, until `leaving`."""
        once, pause = _KINDS[kind]
        user = User(self)
        while not self.leaving:
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(None if kind == "ws" else PATIENCE_S):
                    await once(user)
                self.answered[kind] += 1
            except (Lost, OSError, asyncio.IncompleteReadError, TimeoutError) as error:
                self.lost[kind] += 1
                self.first_loss = self.first_loss or f"{NAMES[kind]}: {error or type(error).__name__}"
                user.hang_up()
            if kind in ("get", "new", "post"):
                self.slowest_s = max(self.slowest_s, asyncio.get_running_loop().time() - began)
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        user.hang_up()


class User:
    """One of them, with the connection that is kept between requests."""

    def __init__(self, users: Users) -> None:
        self.users = users
        self._kept: Connection | None = None

    async def connect(self) -> "Connection":
        """The kept connection, unless the server has closed it meanwhile; else a new one."""
        await asyncio.sleep(0)
        if self._kept is None or self._kept.reader.at_eof():
            self.hang_up()
            self._kept = Connection(*await asyncio.open_connection("127.0.0.1", self.users.port))
        return self._kept

    def hang_up(self) -> None:
        """Close the connection."""
        if self._kept is not None:
            self._kept.writer.close()
            self._kept = None


class Connection:
    """One connection to the service."""

    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, head: str, body: bytes = b"") -> bytes:
        """Send a request and read its whole answer, which must be a 200."""
        self.writer.write(f"{head}\r\nHost: demo\r\n\r\n".encode() + body)
        status, headers = await self.head()
        if "chunked" in headers.get("transfer-encoding", ""):
            answer = await self._chunks()
        else:
            answer = await self.reader.readexactly(int(headers["content-length"]))
        if status != 200:
            raise Lost(f"status {status}")
        return answer

    async def head(self) -> tuple[int, dict[str, str]]:
        """Status and headers of the answer."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return int(first.split()[1]), {name.lower(): value.strip().lower() for name, _, value in pairs}

    async def _chunks(self) -> bytes:
        parts = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            parts += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return parts


async def _get(user: User) -> None:
    await (await user.connect()).ask("GET / HTTP/1.1")


async def _new(user: User) -> None:
    user.hang_up()
    await (await user.connect()).ask("GET / HTTP/1.1\r\nConnection: close")


async def _post(user: User) -> None:
    body = os.urandom(1024).hex().encode()
    if await (await user.connect()).ask(f"POST /echo HTTP/1.1\r\nContent-Length: {len(body)}", body) != body:
        raise Lost("the echo is not what was sent")


async def _slow(user: User) -> None:
    await (await user.connect()).ask("GET /slow HTTP/1.1")


async def _stream(user: User) -> None:
    got = await (await user.connect()).ask(f"GET /stream?parts={STREAM_PARTS} HTTP/1.1")
    if got.count(b"part") != STREAM_PARTS:
        raise Lost("the stream was cut")


async def _websocket(user: User) -> None:
    """Say something now and then until the server says goodbye, which has to be a close frame."""
    users = user.users
    user.hang_up()
    connection = await user.connect()
    key = base64.b64encode(os.urandom(16)).decode()
    connection.writer.write(
        "GET /ws HTTP/1.1\r\nHost: demo\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    if (await connection.head())[0] != 101:
        raise Lost("the upgrade was refused")
    while True:
        opcode, payload = (8, b"\x03\xe8") if users.leaving else (1, b"hello")
        connection.writer.write(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        first, size = await connection.reader.readexactly(2)
        await connection.reader.readexactly(size)
        if first & 0x0F == 8:
            if not users.leaving:
                users.closed_politely += 1
                connection.writer.write(b"\x88\x82\x00\x00\x00\x00\x03\xf4")
            return
        await asyncio.sleep(0.1)


Once = Callable[[User], Awaitable[None]]
_KINDS: dict[str, tuple[Once, float]] = {
    "get": (_get, 0.008), "new": (_new, 0.02), "post": (_post, 0.015), "slow": (_slow, 0.1),
    "stream": (_stream, 0.1), "ws": (_websocket, 0.05),
}  # fmt: skip
