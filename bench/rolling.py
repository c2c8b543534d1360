"""How long a rolling update takes, beside its bound: replicas / parallelism x (start + monitor + delay).

A uvicorn app under light load. `start` is what a replica of it took in the same run from its start to its first good
check; the rest of the bound is what the file says. The next batch starts when the old replicas of the one before it
have ended, so that there are never more than the file allows: what the app takes to end (`end`) comes on top of the
bound, for each batch. Target: at most 1.10 of the bound.
"""

import math
import statistics
import sys
import tempfile
from pathlib import Path

import msgspec
from tests.e2e.place import Place, free_port
from tests.e2e.shop import compose, service

from bench.kit.table import print_table

TARGET = 1.10


class Case(msgspec.Struct, frozen=True):
    """One way to roll."""

    replicas: int
    parallelism: int
    monitor_s: float
    delay_s: float = 0.0


CASES = (Case(3, 1, 2.0), Case(6, 2, 2.0, 1.0), Case(4, 4, 5.0))


class Measured(msgspec.Struct, frozen=True):
    """What one update took."""

    took_s: float
    start_s: float
    end_s: float
    failed: int
    requests: int


def update(folder: Path, case: Case) -> Measured:
    """Roll one revision through."""
    place = Place(folder)
    port = free_port()
    place.app("asgi", "web")
    about = service("web", port, replicas=case.replicas, together=case.parallelism, monitor=f"{case.monitor_s}s")
    about["deploy"]["update_config"]["delay"] = f"{case.delay_s}s"
    place.write(compose(web=about))
    try:
        place.midair("up", expect=0)
        with place.load(port, get=1, options={"pause": 0.02}) as load:
            place.edit("web/app.py", '"v1"', '"v2"')
            place.midair("up", expect=0, timeout=180)
        change = place.client.history("shop")[0]
        start = mean_span(place, change.first_event, "replica-started", "replica-ready")
        end = mean_span(place, change.first_event, "replica-stopping", "replica-stopped")
        took = change.ended_at - change.created_at
        return Measured(took, start, end, load.report["failed"], load.report["requests"])
    finally:
        place.close()


def mean_span(place: Place, first_event: int, first: str, last: str) -> float:
    """Seconds between two events of a replica, on average."""
    began, took = {}, []
    for event in place.client.events("shop", after=first_event - 1):
        if event.kind == first:
            began[event.replica] = event.at
        elif event.kind == last and event.replica in began:
            took.append(event.at - began.pop(event.replica))
    return statistics.mean(took)


def bound(case: Case, start_s: float) -> float:
    """The time that it cannot take less than, if each batch waits for the one before it."""
    return math.ceil(case.replicas / case.parallelism) * (start_s + case.monitor_s + case.delay_s)


def main() -> int:
    """Print the table; 1 when the target is missed."""
    rows, worst = [], 0.0
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="midair-bench-") as folder:
            found = update(Path(folder), case)
        limit = bound(case, found.start_s)
        worst = max(worst, found.took_s / limit)
        rows.append([
            f"{case.replicas} replicas, {case.parallelism} at a time", f"{case.monitor_s:g} s", f"{case.delay_s:g} s",
            f"{found.start_s:.2f} s", f"{found.end_s:.2f} s", f"{limit:.2f} s", f"{found.took_s:.2f} s",
            f"{found.took_s / limit:.3f}", f"{found.failed} of {found.requests:,}",
        ])  # fmt: skip
    print_table(["update", "monitor", "delay", "start", "end", "bound", "took", "ratio", "failed"], rows)
    print(f"\nworst: {worst:.3f} of the bound (target {TARGET:.2f})")
    return int(worst > TARGET)


if __name__ == "__main__":
    sys.exit(main())
