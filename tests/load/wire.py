"""One client connection on a plain socket, speaking HTTP/1.1 by hand: sends, reads, and believes nothing.

It knows nothing of midair and shares no code with it. Every departure from a whole, correct answer is a `Failed`.
"""

import asyncio
import socket

HEAD_MAX = 65536


class Failed(Exception):
    """What the client did not get, and at which point of the exchange."""

    def __init__(self, at: str, why: str) -> None:
        super().__init__(f"{at}: {why}")
        self.at = at
        self.why = why


class Answer:
    """The head of an answer: status and headers by lower-case name."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ", 2)
        if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
            raise Failed("head", f"is no status line: {first[:80]!r}")
        self.version = parts[0]
        self.status = int(parts[1])
        self.headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }

    @property
    def says_close(self) -> bool:
        """True when the server announced that this is the last answer on the connection."""
        return self.version == "HTTP/1.0" or "close" in self.headers.get("connection", "").lower()


class Wire:
    """A connected socket with what was read too much."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.rest = b""
        self.requests = 0  # sent on this connection

    @classmethod
    async def connect(cls, host: str, port: int) -> "Wire":
        """A new connection, or Failed."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
        except OSError as error:
            sock.close()
            raise Failed("connect", str(error)) from None
        return cls(sock)

    def close(self) -> None:
        """Close at once."""
        self.sock.close()

    def is_usable(self) -> bool:
        """Whether another request may be sent: what every ordinary client looks at before it reuses a connection.

        A server may close a connection that is idle; finding that out *before* sending is not a failure.
        """
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return not self.rest  # open, and nothing came that nobody asked for
        except OSError:
            return False
        return False

    async def send(self, data: bytes) -> None:
        """Send all of it, or Failed."""
        try:
            await asyncio.get_running_loop().sock_sendall(self.sock, data)
        except OSError as error:
            raise Failed("send", str(error)) from None

    async def more(self, at: str) -> bytes:
        """The next bytes; the end of the connection is a failure here."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 65536)
        except OSError as error:
            raise Failed(at, str(error)) from None
        if not data:
            raise Failed(at, f"the connection ended (request {self.requests} on it, {len(self.rest)} bytes unread)")
        return data

    async def until(self, mark: bytes, at: str) -> bytes:
        """Everything up to `mark`, which is taken away."""
        while mark not in self.rest:
            if len(self.rest) > HEAD_MAX:
                raise Failed(at, f"no {mark!r} in {len(self.rest)} bytes")
            self.rest += await self.more(at)
        wanted, _, self.rest = self.rest.partition(mark)
        return wanted

    async def exactly(self, count: int, at: str) -> bytes:
        """The next `count` bytes."""
        while len(self.rest) < count:
            self.rest += await self.more(at)
        wanted, self.rest = self.rest[:count], self.rest[count:]
        return wanted

    async def head(self) -> Answer:
        """The head of the final answer; 1xx ones are passed over, except 101."""
        while True:
            answer = Answer(await self.until(b"\r\n\r\n", "head"))
            if answer.status >= 200 or answer.status == 101:
                return answer

    async def body(self, answer: Answer) -> bytes:
        """The whole body; one that ends too early is a failure."""
        if "chunked" in answer.headers.get("transfer-encoding", "").lower():
            return await self._chunks()
        if "content-length" in answer.headers:
            return await self.exactly(int(answer.headers["content-length"]), "body")
        raise Failed("body", "has neither a length nor chunks, so its end cannot be told from a cut")

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while True:
            line = await self.until(b"\r\n", "chunk")
            try:
                size = int(line.split(b";")[0], 16)
            except ValueError:
                raise Failed("chunk", f"bad size {line[:40]!r}") from None
            if size == 0:
                while await self.until(b"\r\n", "trailer"):
                    pass
                return b"".join(parts)
            parts.append(await self.exactly(size, "chunk"))
            if await self.exactly(2, "chunk") != b"\r\n":
                raise Failed("chunk", "does not end with a line end")
