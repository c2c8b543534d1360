"""A tiny HTTP app on the standard library that starts in no time and says which replica answers. BROKEN: it dies."""

import asyncio
import os
import signal

VERSION = "v1"
BROKEN = os.environ.get("BROKEN", "")
REPLICA = os.environ.get("MIDAIR_REPLICA", "")
HEAD = f"HTTP/1.1 200 OK\r\nX-Version: {VERSION}\r\nX-Replica: {REPLICA}\r\n"


class App:
    """Answers everything; ends when it is told to and nothing is inside it."""

    def __init__(self):
        self.inside = 0
        self.ending = False
        self.idle = set()

    async def connection(self, reader, writer):
        try:
            while not self.ending:
                self.idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self.idle.discard(writer)
                self.inside += 1
                try:
                    await self.answer(head.decode("latin-1"), reader, writer)
                finally:
                    self.inside -= 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.idle.discard(writer)
            writer.close()

    async def answer(self, head, reader, writer):
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = first.split(" ")[1].partition("?")
        if path == "/stream":
            await self.stream(int(query.partition("=")[2] or 50), writer)
            return
        if path == "/slow":
            await asyncio.sleep(2)
        if path == "/never":
            await asyncio.sleep(60)
        answer = body if path == "/echo" else f"{VERSION} {REPLICA}\n".encode()
        writer.write(f"{HEAD}Content-Length: {len(answer)}\r\n\r\n".encode() + answer)
        await writer.drain()

    async def stream(self, parts, writer):
        writer.write(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        for number in range(parts):
            part = b"part %d\n" % number
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
            await asyncio.sleep(0.1)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


async def main():
    app, told = App(), asyncio.Event()
    server = await asyncio.start_server(app.connection, "127.0.0.1", int(os.environ["PORT"]))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    if BROKEN:
        asyncio.get_running_loop().call_later(0.4, os._exit, 3)
    await told.wait()
    server.close()
    app.ending = True
    for writer in tuple(app.idle):
        writer.close()
    while app.inside:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0.01)


asyncio.run(main())
