"""1,000 WebSockets through the embedded router: cost of a message, memory, latency. Target: CPU 2 x haproxy's."""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from bench.kit.cpu import cpu_seconds, resident_mb
from bench.kit.find import missing as not_found
from bench.kit.proxies import Proxy, proxies, sink
from bench.kit.table import median, print_table

SOCKETS, MESSAGES = 1000, 10
TARGET = 2.0
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MESSAGE = bytes((0x81, 0x80 | 100)) + b"\0\0\0\0" + b"x" * 100  # echoed as it is, so it is a frame both ways


def missing() -> str:
    """Why it cannot be measured here."""
    return not_found("haproxy")


async def talk(port: int, taken: list[float], ready: asyncio.Barrier) -> None:
    """One WebSocket: messages one after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(UPGRADE)
    if b" 101 " not in await reader.readuntil(b"\r\n\r\n"):
        raise RuntimeError("no WebSocket was opened")
    await ready.wait()
    for _ in range(MESSAGES):
        began = time.perf_counter()
        writer.write(MESSAGE)
        await reader.readexactly(len(MESSAGE))
        taken.append(time.perf_counter() - began)
    writer.close()


async def load(proxy: Proxy) -> tuple[float, float, list[float]]:
    """CPU seconds and memory of the proxy, and the time of each message."""
    taken: list[float] = []
    ready = asyncio.Barrier(SOCKETS + 1)
    before = resident_mb(proxy.pid)
    async with asyncio.TaskGroup() as group:
        for _ in range(SOCKETS):
            group.create_task(talk(proxy.port, taken, ready))
        await ready.wait()
        cpu, memory = cpu_seconds(proxy.pid), resident_mb(proxy.pid) - before
    return cpu_seconds(proxy.pid) - cpu, memory, sorted(taken)


def main() -> int:
    """Print the table; 1 when the target is missed."""
    rows, costs = [], {}
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as name:
        folder = Path(name)
        with sink() as port, proxies(folder, port, ("midair", "haproxy", "nginx")) as running:
            for proxy in running:
                found = [asyncio.run(load(proxy)) for _ in range(3)]
                costs[proxy.name] = cost = median([cpu for cpu, _, _ in found]) / SOCKETS / MESSAGES * 1e6
                taken = found[-1][2]
                p50, p99 = (taken[len(taken) * percent // 100] * 1e3 for percent in (50, 99))
                memory = max(memory for _, memory, _ in found)
                rows.append([proxy.name, f"{cost:.1f}", f"{memory:.1f}", f"{p50:.1f}", f"{p99:.1f}"])
    print_table(["1,000 WebSockets", "CPU µs/message", "memory MB", "p50 ms", "p99 ms"], rows)
    ratio = costs["midair"] / costs["haproxy"]
    print(f"\na message costs {ratio:.2f} x what it costs haproxy (target {TARGET:.1f})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
