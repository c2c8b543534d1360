"""Requests per CPU-second of the embedded router beside other proxies, on one core each. Target: 0.70 of haproxy.

64 keep-alive connections, answers of 100 bytes, short interleaved rounds, medians; the ratio is of the CPU time that
the proxy itself spent per request, which a busy machine changes least. "unlike" means that no two heads are the same,
so that nothing can be remembered from one request to the next.
"""

import sys
import tempfile
from pathlib import Path

from bench.kit.find import missing as not_found
from bench.kit.load import Sample, run_wrk
from bench.kit.proxies import Proxy, proxies, server
from bench.kit.table import median, print_table

ROUNDS, SECONDS = 5, 1
TARGET = 0.70
KINDS = ("plain", "browser", "unlike")


def missing() -> str:
    """Why it cannot be measured here."""
    return not_found("wrk", "nginx", "haproxy")


def measure(folder: Path, kind: str, rounds: int) -> tuple[dict[str, list[Sample]], list[str]]:
    """Samples by proxy; the server itself is "direct"."""
    with server(folder) as port, proxies(folder, port) as running:
        candidates = [*running, Proxy("direct", port, running[0].pid)]
        samples: dict[str, list[Sample]] = {candidate.name: [] for candidate in candidates}
        for proxy in candidates:
            run_wrk(folder, proxy, 1, kind=kind)
        for number in range(rounds):
            for proxy in candidates[number % len(candidates) :] + candidates[: number % len(candidates)]:
                samples[proxy.name].append(run_wrk(folder, proxy, SECONDS, kind=kind))
        return samples, [proxy.name for proxy in running]


def show(kind: str, samples: dict[str, list[Sample]]) -> float:
    """Print one table; the share of haproxy that midair reaches."""
    haproxy = [sample.cpu_us for sample in samples["haproxy"]]
    rows = []
    ratio = 0.0
    for name, found in samples.items():
        shares = [base / one.cpu_us for base, one in zip(haproxy, found, strict=True)] if name != "direct" else []
        if name == "midair":
            ratio = median(shares)
        rows.append([
            f"{kind}: {name}", f"{median([s.per_second for s in found]):,.0f}",
            f"{median([s.cpu_us for s in found]):.1f}" if shares else "-",
            f"{median(shares):.2f} [{min(shares):.2f}-{max(shares):.2f}]" if shares else "-",
            f"{median([s.p50_ms for s in found]):.2f}", f"{median([s.p99_ms for s in found]):.2f}",
            sum(s.failed for s in found),
        ])  # fmt: skip
    print_table(["proxy", "req/s", "CPU µs/req", "req/CPU-s x haproxy", "p50 ms", "p99 ms", "failed"], rows)
    print()
    return ratio


def main() -> int:
    """Print the tables; 1 when the target is missed."""
    rounds = ROUNDS
    ratios = {}
    for kind in KINDS:
        with tempfile.TemporaryDirectory(prefix="midair-bench-") as folder:
            samples, _ = measure(Path(folder), kind, rounds)
        ratios[kind] = show(kind, samples)
    for kind, ratio in ratios.items():
        print(f"{kind}: {ratio:.2f} of haproxy (target {TARGET:.2f})")
    return 0 if ratios["plain"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
