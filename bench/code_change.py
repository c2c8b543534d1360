"""Two changes of code under the same load: failed requests and duration, beside what people use on one machine.

Same app (two workers or replicas), same load client, one after the other in one run. "old code" is the time from the
moment the new code is on disk until no new connection is answered by the old code any more; "command" is how long the
command took that is called for it, which with midair is until every old request has ended. Users: keep-alive, new
connections, POSTs, idle connections, requests of 2 s, streams of 3 s. Target: midair fails none.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from tests.e2e.place import Load

from bench.changekit.midair import Midair
from bench.changekit.peer import Peer, await_answer, version_of
from bench.changekit.peers import PEERS
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
    old_s: tuple[float | None, ...]  # None: the old code still answered after a minute
    command_s: tuple[float, ...]


def measure(peer: Peer) -> Outcome:
    """Change the code twice under load."""
    old_s, command_s = [], []
    try:
        peer.start()
        await_answer(peer.port)
        with Load(peer.port, USERS, OPTIONS) as load, ThreadPoolExecutor(1) as beside:
            time.sleep(1)
            for before, after in CHANGES:
                peer.edit(before, after)
                began = time.monotonic()
                command = beside.submit(timed, peer)
                old_s.append(last_answer_of(peer.port, before, began))
                command_s.append(command.result())
            time.sleep(AFTER_S)
    finally:
        peer.stop()
    report = load.report
    kinds = {kind: seen["failed"] for kind, seen in report["by_kind"].items() if seen["failed"]}
    return Outcome(report["requests"], report["failed"], kinds, tuple(old_s), tuple(command_s))


def timed(peer: Peer) -> float:
    """Seconds that the command takes."""
    began = time.monotonic()
    peer.change()
    return time.monotonic() - began


def last_answer_of(port: int, version: str, began: float) -> float | None:
    """Seconds until the old version, or nothing, answered for the last time."""
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


def row(kind: type[Peer]) -> tuple[list[object], bool]:
    """What is told of one way to change code, and whether it did what midair promises."""
    try:
        with tempfile.TemporaryDirectory(prefix="midair-bench-", ignore_cleanup_errors=True) as folder:
            found = measure(kind(Path(folder)))
    except Exception as error:  # one that does not work on this machine must not keep the others from being measured
        print(f"{kind.name}: {type(error).__name__}: {error}", file=sys.stderr)
        return [kind.name, "-", "-", "-", "-", "-", "did not work"], False
    old = " ".join("never" if span is None else f"{span:.1f}" for span in found.old_s)
    command = " ".join(f"{span:.1f}" for span in found.command_s)
    causes = ", ".join(f"{kind} {count}" for kind, count in sorted(found.by_kind.items()))
    cells = [kind.name, f"{found.requests:,}", found.failed, f"{found.failed / len(CHANGES):.1f}", old, command]
    return [*cells, causes or "-"], found.failed == 0 and None not in found.old_s


def main() -> int:
    """Print the table; 1 when midair failed a request or a change."""
    rows, kept = [], True
    for kind in PEERS:
        if why := kind.missing():
            print(f"{kind.name}: left out, {why}")
            continue
        cells, good = row(kind)
        rows.append(cells)
        kept = kept and (good or not issubclass(kind, Midair))
    print_table(["changed by", "requests", "failed", "per change", "old code, s", "command, s", "which"], rows)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
