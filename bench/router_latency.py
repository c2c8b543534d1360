"""What the embedded router adds to the latency of a request at about half of its load, beside other proxies.

64 connections, each of which waits between its requests, so that all proxies get the same rate; interleaved rounds.
"""

import sys
import tempfile
from pathlib import Path

from bench.kit.find import missing as not_found
from bench.kit.load import Sample, run_wrk
from bench.kit.proxies import Proxy, proxies, server
from bench.kit.table import median, print_table

ROUNDS, SECONDS, CONNECTIONS = 5, 2, 64
TARGET = 2.0  # times haproxy's p99


def missing() -> str:
    """Why it cannot be measured here."""
    return not_found("wrk", "nginx", "haproxy")


def half_load_pause(folder: Path, midair: Proxy) -> int:
    """Milliseconds between requests on each connection that halve the rate which the router can take."""
    fastest = run_wrk(folder, midair, SECONDS, connections=CONNECTIONS).per_second
    return max(1, round(CONNECTIONS / (fastest / 2) * 1000))


def main() -> int:
    """Print the table; 1 when the target is missed."""
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as name:
        folder = Path(name)
        with server(folder) as port, proxies(folder, port) as running:
            pause = half_load_pause(folder, running[0])
            candidates = [*running, Proxy("direct", port, running[0].pid)]
            samples: dict[str, list[Sample]] = {candidate.name: [] for candidate in candidates}
            for number in range(ROUNDS):
                for proxy in candidates[number % len(candidates) :] + candidates[: number % len(candidates)]:
                    sample = run_wrk(folder, proxy, SECONDS, connections=CONNECTIONS, pause_ms=pause)
                    samples[proxy.name].append(sample)
    base50 = median([sample.p50_ms for sample in samples["direct"]])
    base99 = median([sample.p99_ms for sample in samples["direct"]])
    rows = []
    for proxy, found in samples.items():
        p50, p99 = median([s.p50_ms for s in found]), median([s.p99_ms for s in found])
        rate = median([s.per_second for s in found])
        rows.append([proxy, f"{rate:,.0f}", f"{p50:.2f}", f"{p50 - base50:+.2f}", f"{p99:.2f}", f"{p99 - base99:+.2f}",
                     sum(s.failed for s in found)])  # fmt: skip
    print_table(["proxy", "req/s", "p50 ms", "added", "p99 ms", "added", "failed"], rows)
    shares = [ours.p99_ms / theirs.p99_ms for ours, theirs in zip(samples["midair"], samples["haproxy"], strict=True)]
    print(f"\np99 is {median(shares):.2f} x haproxy's (target {TARGET:.1f})")
    return 0 if median(shares) <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
