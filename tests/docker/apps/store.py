"""A small data store over TCP: "INCR" adds one to a number and answers with it. Keeps it in /data where that is."""

import asyncio
import os
import signal
import sys

FILE = "/data/number"
OPEN = set()


def read():
    try:
        with open(FILE) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


NUMBER = read()


async def serve(reader, writer):
    global NUMBER
    OPEN.add(asyncio.current_task())
    while await reader.readline() == b"INCR\n":
        NUMBER += 1
        if os.path.isdir("/data"):
            with open(FILE, "w") as file:
                file.write(str(NUMBER))
        writer.write(f"{NUMBER}\n".encode())
        await writer.drain()
    writer.close()
    OPEN.discard(asyncio.current_task())


async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", int(sys.argv[1]))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    server.close()


asyncio.run(main())
