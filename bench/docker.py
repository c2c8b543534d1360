"""Two changes of an unmodified Compose file on one engine: failed requests and duration, beside Docker Compose.

Same image, engine and load client, one after the other in one run. The duration goes from the call of the command to
its end. Users: keep-alive, new connections, POSTs and idle connections. Target: midair fails none.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.docker import composev2
from tests.docker import engine as engines
from tests.e2e.place import Load, Place, free_port

from bench.kit.table import print_table

USERS = {"get": 2, "new": 2, "post": 1, "idle": 2}
IMAGE = "midair-bench/web"
FILE = """
name: shop
services:
  web:
    image: {image}
    pull_policy: never
    command: python3 -m uvicorn app:app --host 0.0.0.0 --port 8000 --no-access-log
    ports: ["127.0.0.1:{port}:8000"]
    environment: {{COLOUR: {colour}}}
"""


class Peer:
    """A way to make what runs equal to the file."""

    def __init__(self, name: str, place: Place, command: list[str]) -> None:
        self.name, self.place, self.command = name, place, command
        self.port = free_port()

    def change(self, colour: str) -> float:
        """Write the file and call the command: how many seconds it took."""
        self.place.write(FILE.format(image=IMAGE, port=self.port, colour=colour))
        began = time.monotonic()
        subprocess.run(
            self.command,
            cwd=self.place.folder,
            env=self.place.environment,
            check=True,
            capture_output=True,
            timeout=120,
        )
        return time.monotonic() - began


def measure(peer: Peer) -> list[object]:
    """The row of one peer."""
    peer.change("red")
    time.sleep(2)
    with Load(peer.port, USERS, {"pause": 0.01}) as load:
        took = [peer.change(colour) for colour in ("green", "blue")]
        time.sleep(2)
    seconds = " ".join(f"{span:.1f}" for span in took)
    return [peer.name, f"{load.report['requests']:,}", load.report["failed"], seconds]


def main() -> int:
    """Print the table; 1 when midair failed a request."""
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory(prefix="midair-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        engine = engines.start(folder)
        try:
            engines.ensure_image(engine, folder)
            for number, (peer, command) in enumerate(
                {"docker compose up -d": [composev2.command(), "up", "-d"], "midair up": ["midair", "up"]}.items()
            ):
                place = Place(folder / str(number))
                place.environment["DOCKER_HOST"] = engine.host
                place.app("asgi", "web")
                (place.folder / "web/Dockerfile").write_text(f"FROM {engines.IMAGE}\nWORKDIR /app\nCOPY . .\n")
                engine.docker("build", "-q", "-t", IMAGE, str(place.folder / "web"))
                rows.append(measure(Peer(peer, place, command)))
                place.close()
                for container in engine.docker(
                    "ps", "-aq", "--filter", "label=com.docker.compose.project=shop"
                ).split():
                    engine.docker("rm", "-f", container)
        finally:
            engine.stop()
    print_table(["changed by", "requests", "failed", "seconds each"], rows)
    return int(bool(rows[-1][2]))


if __name__ == "__main__":
    sys.exit(main())
