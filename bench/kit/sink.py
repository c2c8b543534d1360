"""`python sink.py PORT`: a server for large bodies and WebSockets.

GET /NUMBER answers with so many bytes, POST counts what it is sent, an upgrade echoes every byte.
"""

import re
import socket
import sys
import threading

PART = b"x" * 2**18


def serve(connection: socket.socket) -> None:
    """One connection."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    data = b""
    with connection:
        while True:
            while b"\r\n\r\n" not in data:
                if not (more := connection.recv(65536)):
                    return
                data += more
            head, _, data = data.partition(b"\r\n\r\n")
            if b"upgrade: websocket" in head.lower():
                echo(connection)
                return
            if head.startswith(b"GET"):
                give(connection, int(head.split(b" ")[1].strip(b"/") or 0))
            else:
                length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
                take(connection, length - len(data))
                data = b""
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def give(connection: socket.socket, size: int) -> None:
    """An answer of this size."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    while size > 0:
        part = PART if size >= len(PART) else PART[:size]
        connection.sendall(part)
        size -= len(part)


def take(connection: socket.socket, left: int) -> None:
    """A body of this size."""
    buffer = bytearray(2**18)
    while left > 0:
        received = connection.recv_into(buffer)
        if not received:
            return
        left -= received


def echo(connection: socket.socket) -> None:
    """Every byte back."""
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    )
    while data := connection.recv(65536):
        connection.sendall(data)


def main() -> None:
    """Accept for ever."""
    with socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=2048) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
