"""Two changes of code under the same load: failed requests and duration, beside what people use on one machine.

Same app (two workers or replicas), same load client, one after the other in one run. The duration goes from the moment
the new code is on disk to the last answer of the old code to a new connection. Users: keep-alive, new connections,
POSTs, idle connections, requests of 2 s, streams of 3 s. Target: midair fails none.
"""

import sys
import tempfile
import time
from pathlib import Path

import msgspec
from tests.e2e.place import Load

from bench.changekit.peers import PEERS, Midair, Peer, await_answer, version_of
from bench.kit.table import print_table

USERS = {"get": 2, "new": 2, "post": 1, "idle": 2, "slow": 2, "stream": 2}
OPTIONS = {"parts": 30, "pause": 0.01}
CHANGES = (("v1", "v2"), ("v2", "v3"))
SETTLED_S = 2.5  # so long no old answer: the change is through
PATIENCE_S = 60.0
AFTER_S = 4.0  # for requests that were cut to be noticed


class Outcome(msgspec.Struct, frozen=True):
    """What users and the clock saw."""

    requests: int
    failed: int
    by_kind: dict[str, int]
    took_s: tuple[float | None, ...]  # None: it had not come after a minute


def measure(peer: Peer) -> Outcome:
    """Change the code twice under load."""
    took = []
    try:
        peer.start()
        await_answer(peer.port)
        with Load(peer.port, USERS, OPTIONS) as load:
            time.sleep(1)
            for before, after in CHANGES:
                began = time.monotonic()
                peer.edit(before, after)
                peer.change()
                took.append(last_answer_of(peer.port, before, began))
            time.sleep(AFTER_S)
    finally:
        peer.stop()
    report = load.report
    kinds = {kind: seen["failed"] for kind, seen in report["by_kind"].items() if seen["failed"]}
    return Outcome(report["requests"], report["failed"], kinds, tuple(took))


def last_answer_of(port: int, version: str, began: float) -> float | None:
    """Seconds until the old version answered for the last time."""
    last, seen_new = time.monotonic(), False
    while time.monotonic() < last + SETTLED_S or not seen_new:
        found = version_of(port)
        if found == version or not seen_new:
            last = time.monotonic()
        seen_new = seen_new or found not in (None, version)
        if time.monotonic() > began + PATIENCE_S:
            return None
        time.sleep(0.02)
    return last - began


def main() -> int:
    """Print the table; 1 when midair failed a request or a change."""
    rows, failed = [], 0
    for kind in PEERS:
        if why := kind.missing():
            print(f"{kind.name}: left out, {why}")
            continue
        with tempfile.TemporaryDirectory(prefix="midair-bench-") as folder:
            found = measure(kind(Path(folder)))
        if issubclass(kind, Midair):
            failed += found.failed + sum(span is None for span in found.took_s)
        causes = ", ".join(f"{kind} {count}" for kind, count in sorted(found.by_kind.items()))
        per_change = f"{found.failed / len(CHANGES):.1f}"
        durations = " ".join("never" if span is None else f"{span:.1f}" for span in found.took_s)
        rows.append([kind.name, f"{found.requests:,}", found.failed, per_change, durations, causes or "-"])
    print_table(["changed by", "requests", "failed", "per change", "seconds each", "which"], rows)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
