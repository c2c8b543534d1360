"""Two changes of a service in containers on one engine: failed requests and duration, beside what people use today.

Same image, engine and load client, one after the other in one run. The duration goes from the call of the command to
its end. Users: keep-alive, new connections, POSTs, idle connections, slow answers, streams. Target: midair fails none.
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.docker import engine as engines
from tests.docker.shop import DOCKERFILE
from tests.e2e.place import Load

from bench.dockerkit.peers import IMAGE, PEERS, PROXY_IMAGE, Midair, Peer
from bench.kit.table import print_table

USERS = {"get": 2, "new": 2, "post": 1, "idle": 2, "slow": 1, "stream": 1}
CHANGES = ("green", "blue")
AFTER_S = 2  # so long users go on
PROXY = f"FROM {engines.IMAGE}\nADD programs.tar /\nRUN echo root:x:0: > /etc/group\n"


def make_images(engine: engines.Engine, folder: Path) -> None:
    """The service's image, and one of nginx for the peer that needs it inside."""
    engines.ensure_image(engine, folder)
    app = Path(__file__).parents[1] / "tests" / "e2e" / "apps" / "asgi" / "app.py"
    for name, text in (("web", DOCKERFILE), ("proxy", PROXY)):
        (folder / name).mkdir()
        (folder / name / "Dockerfile").write_text(text)
    (folder / "web" / "app.py").write_bytes(app.read_bytes())
    engine.docker("build", "-q", "-t", IMAGE, str(folder / "web"))
    engines.pack_programs(folder / "proxy" / "programs.tar", ["nginx"], [])
    engine.docker("build", "-q", "-t", PROXY_IMAGE, str(folder / "proxy"))


def measure(peer: Peer) -> list[object]:
    """The row of one peer."""
    took = []
    try:
        peer.start()
        time.sleep(AFTER_S)
        with Load(peer.port, USERS, {"pause": 0.01}) as load:
            for colour in CHANGES:
                began = time.monotonic()
                peer.change(colour)
                took.append(time.monotonic() - began)
            time.sleep(AFTER_S)
    finally:
        peer.stop()
    report = load.report
    kinds = {kind: seen["failed"] for kind, seen in report["by_kind"].items() if seen["failed"]}
    causes = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())) or "-"
    seconds = " ".join(f"{span:.1f}" for span in took)
    return [peer.name, f"{report['requests']:,}", report["failed"], seconds, causes]


def main() -> int:
    """Print the table; 1 when midair failed a request."""
    rows: list[list[object]] = []
    failed = 0
    with tempfile.TemporaryDirectory(prefix="midair-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        engine = engines.start(folder)
        try:
            make_images(engine, folder)
            for kind in PEERS:
                row = measure(kind(engine, folder / kind.__name__))
                failed += int(str(row[2])) if issubclass(kind, Midair) else 0
                rows.append(row)
        finally:
            engine.stop()
    print_table(["changed by", "requests", "failed", "seconds each", "which"], rows)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
