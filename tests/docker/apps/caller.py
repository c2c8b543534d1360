"""Calls a service by its name in several ways at once until it is told to end, and prints what failed, as JSON.

`caller.py NAME KIND:PORT…`: "http" and "tcp" on new connections, "http-kept" and "tcp-kept" on one that is opened
again when the other side ended it between two calls, "udp" from new sockets, "udp-kept" from one socket.
"""

import asyncio
import json
import signal
import socket
import sys

PATIENCE_S = 8.0
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Kind:
    def __init__(self, name, kind, port):
        self.name, self.kind, self.port = name, kind, int(port)
        self.calls, self.failures, self.words = 0, [], []
        self.stream = self.socket = None

    async def run(self, ended):
        while not ended.is_set():
            try:
                async with asyncio.timeout(PATIENCE_S):
                    word = await (self.udp() if self.kind.startswith("udp") else self.stream_call())
                if word not in self.words:
                    self.words.append(word)
            except Exception as error:
                self.failures.append(f"{self.calls}: {error!r}")
                self.stream = self.socket = None
            self.calls += 1
            await asyncio.sleep(0.01)

    async def stream_call(self):
        is_http = self.kind.startswith("http")
        if self.stream is None or self.stream[0].at_eof():
            self.stream = await asyncio.open_connection(self.name, self.port)
        reader, writer = self.stream
        writer.write(GET if is_http else b"x\n")
        line = await reader.readline()
        if is_http:
            assert b" 200 " in line, line
            last, length = False, 0
            while head := (await reader.readline()).strip().lower():
                last = last or head == b"connection: close"
                length = int(head.split(b":")[1]) if head.startswith(b"content-length") else length
            line = await reader.readexactly(length)
        assert line, "the connection ended"
        if not self.kind.endswith("-kept") or (is_http and last):
            writer.close()
            self.stream = None
        return line.decode().strip()

    async def udp(self):
        loop = asyncio.get_running_loop()
        if self.socket is None:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setblocking(False)
        found = await loop.getaddrinfo(self.name, self.port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        await loop.sock_sendto(self.socket, b"x", found[0][4])
        async with asyncio.timeout(2):
            word = await loop.sock_recv(self.socket, 99)
        if not self.kind.endswith("-kept"):
            self.socket.close()
            self.socket = None
        return word.decode().strip()


async def main():
    kinds = [Kind(sys.argv[1], *entry.split(":")) for entry in sys.argv[2:]]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await asyncio.gather(*(kind.run(ended) for kind in kinds))
    report = {k.kind + ":" + str(k.port): {"calls": k.calls, "failures": k.failures, "words": k.words} for k in kinds}
    print(json.dumps(report), flush=True)


asyncio.run(main())
