"""A line server that is not HTTP: says its version and what it was told."""

import asyncio
import os

VERSION = "v1"


async def talk(reader, writer):
    while line := await reader.readline():
        writer.write(VERSION.encode() + b" " + line)
    writer.close()


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


asyncio.run(main())
