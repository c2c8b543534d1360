"""As much HTTP as a flag client needs: one request per connection, answers read by lines.

The libraries that do more cost ten times the import time and memory that this client may have.
"""

from __future__ import annotations

import os
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONGEST_HEAD = 65536
LONGEST_PATH = 100


class Address:
    """Where the server is: http://host:port, https://host, or unix:/path/to/socket."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme, _, rest = self.url.partition(":")
        if scheme == "unix":
            self.path, self.prefix, self.host = "/" + rest.lstrip("/"), "", "localhost"
        elif scheme in ("http", "https") and rest.startswith("//"):
            authority, slash, prefix = rest[2:].partition("/")
            self.path, self.prefix, self.host = "", slash + prefix, authority.rpartition("@")[2]
        else:
            raise ValueError(f'cannot use "{url}" as the address of flags: it should begin with http:, https: or unix:')
        self.scheme = scheme

    def connect(self, timeout: float) -> socket.socket:
        if self.scheme == "unix":
            plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            plain.settimeout(timeout)
            try:
                self.reach(plain)
            except BaseException:
                plain.close()
                raise
            return plain
        name, colon, port = self.host.rpartition(":")
        if not colon or name.endswith(":") or port.endswith("]"):
            name, port = self.host, "443" if self.scheme == "https" else "80"
        plain = socket.create_connection((name.strip("[]"), int(port)), timeout)
        if self.scheme == "http":
            return plain
        import ssl  # heavy, and few need it

        return ssl.create_default_context().wrap_socket(plain, server_hostname=name.strip("[]"))

    def reach(self, plain: socket.socket) -> None:
        """Also where the path is longer than the 107 bytes that a socket address holds."""
        folder, _, name = self.path.rpartition("/")
        if len(os.fsencode(self.path)) <= LONGEST_PATH:
            plain.connect(self.path)
            return
        handle = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            plain.connect(f"/proc/self/fd/{handle}/{name}")
        finally:
            os.close(handle)


class Refusal(Exception):
    """The server answered, and it was not with what was asked for."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"the server answered {status} {reason}".rstrip())
        self.status = status


class Exchange:
    """One request and its answer."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.buffer = b""
        self.chunked = False

    def request(self, address: Address, path: str, headers: Mapping[str, str], body: bytes | None = None) -> None:
        """Sends, and reads the head of the answer. Raises Refusal unless it is a 2xx."""
        method = "GET" if body is None else "POST"
        lines = [f"{method} {address.prefix}{path} HTTP/1.1", f"Host: {address.host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + (body or b""))
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > LONGEST_HEAD:
                raise OSError("the head of the answer does not end")
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        _, code, *reason = [*status.split(" ", 2), ""][:3]
        self.chunked = any(field.lower().replace(" ", "") == "transfer-encoding:chunked" for field in fields)
        if not code.isdecimal():
            raise OSError(f'"{status[:80]}" is not HTTP')
        if not 200 <= int(code) < 300:
            raise Refusal(int(code), " ".join(reason))

    def more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise EOFError("the connection was closed")
        self.buffer += data

    def blocks(self) -> Iterator[bytes]:
        """The body, as it comes in."""
        while not self.chunked:
            if not self.buffer:
                self.more()
            block, self.buffer = self.buffer, b""
            yield block
        while True:
            while b"\r\n" not in self.buffer:
                self.more()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            left = int(size.split(b";")[0], 16)
            if left == 0:
                raise EOFError("the answer ended")
            while left:
                if not self.buffer:
                    self.more()
                block, self.buffer = self.buffer[:left], self.buffer[left:]
                left -= len(block)
                yield block
            while len(self.buffer) < 2:  # the line end after a chunk
                self.more()
            self.buffer = self.buffer[2:]

    def lines(self) -> Iterator[bytes]:
        """Ends only by an error: EOFError, TimeoutError or another OSError."""
        rest = b""
        for block in self.blocks():
            *whole, rest = (rest + block).split(b"\n")
            yield from whole

    def close(self) -> None:
        """Also ends a read that waits in another thread."""
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()
