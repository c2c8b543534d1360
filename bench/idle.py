"""What midair costs when nothing happens: daemon and router with 50 replicas that are checked over HTTP.

Targets for both together: below 1 % of a core and 80 MB. Checks come often at first and calm down within a minute.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from midair.client import Client

REPLICAS = 50
CALM_S, LOOK_S = 60.0, 30.0
CPU_TARGET, MEMORY_TARGET_MB = 1.0, 80.0

APP = """
import os, socket
listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
while True:
    connection, _ = listener.accept()
    if connection.recv(1000):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n")
    connection.close()
"""
COMPOSE = """
name: idle
services:
  web:
    command: python3 -S app.py
    ports: ["127.0.0.1:{port}:80"]
    deploy: {{replicas: {replicas}, update_config: {{parallelism: 0, monitor: 100ms}}}}
    x-midair: {{ready: {{http: /}}}}
"""


def seconds(pid: int) -> float:
    """Processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def megabytes(pid: int) -> float:
    """Memory of its own that a process has in use."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024


def main() -> int:
    """Print the table; 1 when a target is missed."""
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as place:
        folder, home = Path(place), Path(place) / "home"
        (folder / "app.py").write_text(APP)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "compose.yaml").write_text(COMPOSE.format(port=port, replicas=REPLICAS))
        environment = {**os.environ, "MIDAIR_HOME": str(home)}
        midair = [sys.executable, "-m", "midair"]
        run = {"env": environment, "cwd": place, "stdout": subprocess.DEVNULL, "check": True}
        try:
            subprocess.run([*midair, "up", "--yes"], **run)  # type: ignore[call-overload]
            return measure(Client(home))
        finally:
            subprocess.run([*midair, "down"], **run)  # type: ignore[call-overload]
            subprocess.run([*midair, "daemon", "stop"], **run)  # type: ignore[call-overload]


def measure(client: Client) -> int:
    """Look at both processes for a while."""
    router = client.status("idle").router
    assert router is not None, "there is a published port"
    pids = {"daemon": client.health().pid, "router": router.pid}
    time.sleep(CALM_S)
    before = {name: seconds(pid) for name, pid in pids.items()}
    time.sleep(LOOK_S)
    cpu = {name: 100 * (seconds(pid) - before[name]) / LOOK_S for name, pid in pids.items()}
    memory = {name: megabytes(pid) for name, pid in pids.items()}
    print(f"{REPLICAS} replicas{'processor':>14}{'memory':>12}")
    for name in pids:
        print(f"{name:<11}{cpu[name]:>12.2f} %{memory[name]:>9.0f} MB")
    print(f"{'together':<11}{sum(cpu.values()):>12.2f} %{sum(memory.values()):>9.0f} MB")
    return int(sum(cpu.values()) >= CPU_TARGET or sum(memory.values()) >= MEMORY_TARGET_MB)


if __name__ == "__main__":
    sys.exit(main())
