"""How long a change takes to reach 1,000 connected clients: server and clients in two processes, over TCP."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time

import uvicorn

from midair.flags.read import build
from midair.flagserver.hub import Hub
from midair.flagserver.routes import application

CLIENTS = 1_000
CHANGES = 10


def flags(percent: int) -> dict[str, object]:
    rule = {"fractional": [["on", percent], ["off", 100 - percent]]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
    return {"flags": {"new-button": {**flag, "targeting": rule}, **{f"flag-{n}": flag for n in range(99)}}}


def serve() -> None:
    """The server: publishes once for each line on stdin, and says when."""
    hub = Hub()
    hub.publish("shop", build(flags(0)))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    config = uvicorn.Config(application(hub), log_level="error", lifespan="off", timeout_graceful_shutdown=0)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        print(listener.getsockname()[1], flush=True)

        def publish(percent: int) -> None:
            began = time.time()
            hub.publish("shop", build(flags(percent)))
            print(began, flush=True)

        def listen() -> None:
            for number, _ in enumerate(sys.stdin, 1):
                loop.call_soon_threadsafe(publish, number)

        threading.Thread(target=listen, daemon=True).start()
        await uvicorn.Server(config).serve(sockets=[listener])

    asyncio.run(main())


class Client(asyncio.Protocol):
    """Notes when a complete set arrived."""

    def __init__(self, arrived: asyncio.Queue[float]) -> None:
        self.arrived, self.tail = arrived, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"GET /flags/v1/stream?set=shop HTTP/1.1\r\nHost: localhost\r\n\r\n")

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-8:]
        if b"\n.\n" in self.tail:
            self.tail = b""
            self.arrived.put_nowait(time.time())


async def measure() -> list[float]:
    """Seconds from the change to its arrival, for every client and change."""
    command = [sys.executable, __file__, "serve"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        port = int(server.stdout.readline())
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[float] = asyncio.Queue()
        for _ in range(CLIENTS):
            await loop.create_connection(lambda: Client(arrived), "127.0.0.1", port)
        for _ in range(CLIENTS):
            await arrived.get()
        found = []
        for _ in range(CHANGES):
            server.stdin.write("\n")
            server.stdin.flush()
            times = [await arrived.get() for _ in range(CLIENTS)]
            began = float(server.stdout.readline())
            found += [at - began for at in times]
            await asyncio.sleep(0.1)
        return sorted(found)
    finally:
        server.kill()
        server.wait()


def main() -> None:
    found = asyncio.run(measure())
    at = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}
    print(json.dumps({name: found[int(len(found) * share)] * 1e3 for name, share in at.items()}))


if __name__ == "__main__":
    serve() if sys.argv[1:] == ["serve"] else main()
