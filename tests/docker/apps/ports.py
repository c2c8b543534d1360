"""Answers with $WORD and a newline on the ports of its arguments: "tcp:9100", "udp:8125", "http:8000"."""

import asyncio
import os
import sys

WORD = os.environ.get("WORD", "one").encode()


async def tcp(reader, writer):
    while await reader.readline():
        writer.write(WORD + b"\n")
    writer.close()


async def http(reader, writer):
    while await reader.readline():
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(WORD), WORD))
    writer.close()


class Udp(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        self.transport.sendto(WORD + b"\n", address)


async def main():
    for entry in sys.argv[1:]:
        kind, _, port = entry.partition(":")
        host, _, port = port.rpartition("@")
        host = host or "0.0.0.0"
        if kind == "udp":
            await asyncio.get_running_loop().create_datagram_endpoint(Udp, (host, int(port)))
        else:
            await asyncio.start_server({"tcp": tcp, "http": http}[kind], host, int(port))
    await asyncio.Event().wait()


asyncio.run(main())
