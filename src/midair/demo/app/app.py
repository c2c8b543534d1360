"""The demo's web app: a page with a button, an echo, a slow answer, a stream and a WebSocket, on plain asyncio.

It knows nothing of midair but its port, its name and where flags are, from the environment, and it ends at once when
it is told to stop.
"""

import asyncio
import base64
import hashlib
import os
import sys
from asyncio import StreamReader, StreamWriter

from midair.openfeature import Flags

VERSION = "v1"
GREETING = "Hello from midair"
BUTTON = os.environ.get("BUTTON", "blue")
LABEL = sys.argv[1] if len(sys.argv) > 1 else "Press me"
FLAGS = Flags(cache=False) if "MIDAIR_FLAGS" in os.environ else None
REPLICA = os.environ.get("MIDAIR_REPLICA", "?")
PAGE = """<!doctype html><title>{greeting}</title>
<body style="font: 1.2em sans-serif; text-align: center; margin-top: 20vh">
<h1>{greeting}, {version}</h1>
<p><button style="background: {button}; color: white; font-size: 1.5em; border: 0; padding: .6em 1.2em">{label}</button>
<p><small>{replica}</small>
"""


def answer(status: str, body: bytes, kind: str = "text/plain") -> bytes:
    """A whole answer of known length."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nX-Version: {VERSION}\r\n\r\n"
    return head.encode() + body


async def stream(writer: StreamWriter, parts: int) -> None:
    """A part every tenth of a second, in chunks."""
    writer.write(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Version: {VERSION}\r\n\r\n".encode())
    for number in range(parts):
        part = b"part %d\n" % number
        writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await writer.drain()
        await asyncio.sleep(0.1)
    writer.write(b"0\r\n\r\n")


async def websocket(headers: dict[str, str], reader: StreamReader, writer: StreamWriter) -> None:
    """Send every message back until one side closes."""
    secret = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(secret.encode()).digest()).decode()
    writer.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nX-Version: {VERSION}\r\n\r\n".encode()
    )
    while True:
        first, second = await reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        mask = await reader.readexactly(4)
        data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(await reader.readexactly(size)))
        length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
        writer.write(bytes([first]) + length + data)
        if first & 0x0F == 8:
            return


async def serve_one(method: str, path: str, body: bytes, writer: StreamWriter) -> None:
    """Answer one ordinary request."""
    if path == "/":
        page = PAGE.format(greeting=GREETING, version=VERSION, button=BUTTON, label=LABEL, replica=REPLICA)
        writer.write(answer("200 OK", page.encode(), "text/html"))
    elif path.startswith("/button?user="):
        user = path.partition("=")[2]
        new = FLAGS is not None and FLAGS.boolean("new-button", False, {"targetingKey": user})
        writer.write(answer("200 OK", b"new" if new else b"old"))
    elif path == "/healthz":
        writer.write(answer("200 OK", b"fine\n"))
    elif path == "/echo" and method == "POST":
        writer.write(answer("200 OK", body))
    elif path == "/slow":
        await asyncio.sleep(2)
        writer.write(answer("200 OK", b"that took a while\n"))
    elif path.startswith("/stream"):
        _, _, parts = path.partition("?parts=")
        await stream(writer, int(parts or 50))
    else:
        writer.write(answer("404 Not Found", b"no such page\n"))
    await writer.drain()


async def connection(reader: StreamReader, writer: StreamWriter) -> None:
    """One connection, with as many requests as it likes."""
    try:
        while True:
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
            method, path, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if "sec-websocket-key" in headers:
                await websocket(headers, reader, writer)
                break
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            await serve_one(method, path, body, writer)
            if headers.get("connection", "").lower() == "close":
                break
    except (OSError, asyncio.IncompleteReadError):
        pass
    writer.close()


async def main() -> None:
    """Listen on the port that midair gave."""
    server = await asyncio.start_server(connection, "127.0.0.1", int(os.environ["PORT"]))
    print(f"{GREETING}, {VERSION}: listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
