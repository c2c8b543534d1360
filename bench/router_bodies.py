"""Large bodies through the embedded router, up and down, beside other proxies. Target: memory stays flat (32 MB)."""

import socket
import sys
import tempfile
import time
from pathlib import Path

from bench.kit.cpu import cpu_seconds, resident_mb
from bench.kit.proxies import Proxy, proxies, sink
from bench.kit.sink import PART
from bench.kit.table import median, print_table

SIZE, ROUNDS = 10**9, 3
TARGET_MB = 32.0


def down(port: int) -> None:
    """Receive a body."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"GET /%d HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n" % SIZE)
        buffer, received = bytearray(2**18), 0
        while received < SIZE and (count := sock.recv_into(buffer)):
            received += count
    if received < SIZE:
        raise RuntimeError(f"only {received} bytes arrived")


def up(port: int) -> None:
    """Send a body."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: web\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % SIZE)
        left = SIZE
        while left > 0:
            sock.sendall(PART[: min(left, len(PART))])
            left -= len(PART)
        if not sock.recv(100).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("the body was not taken")


def main() -> int:
    """Print the table; 1 when the target is missed."""
    rows, grown = [], 0.0
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as name:
        folder = Path(name)
        with sink() as port, proxies(folder, port) as running:
            for direction, move in (("down", down), ("up", up)):
                speeds: dict[str, list[float]] = {proxy.name: [] for proxy in running}
                costs: dict[str, list[float]] = {proxy.name: [] for proxy in running}
                before = {proxy.name: resident_mb(proxy.pid) for proxy in running}
                for _ in range(ROUNDS):
                    for proxy in running:
                        speed, cost = timed(move, proxy)
                        speeds[proxy.name].append(speed)
                        costs[proxy.name].append(cost)
                for proxy in running:
                    growth = resident_mb(proxy.pid) - before[proxy.name]
                    grown = max(grown, growth) if proxy.name == "midair" else grown
                    rows.append([f"{direction}: {proxy.name}", f"{median(speeds[proxy.name]):,.0f}",
                                 f"{median(costs[proxy.name]):.2f}", f"{growth:+.1f}"])  # fmt: skip
    print_table(["1 GB", "MB/s", "CPU s", "memory MB"], rows)
    print(f"\nthe router's memory grew by {grown:.1f} MB (target {TARGET_MB:.0f})")
    return 0 if grown <= TARGET_MB else 1


def timed(move: object, proxy: Proxy) -> tuple[float, float]:
    """Megabytes a second, and CPU seconds of the proxy."""
    cpu, began = cpu_seconds(proxy.pid), time.perf_counter()
    move(proxy.port)  # type: ignore[operator]
    return SIZE / 1e6 / (time.perf_counter() - began), cpu_seconds(proxy.pid) - cpu


if __name__ == "__main__":
    sys.exit(main())
