"""Feature flags beside other clients: evaluation, push, reload, import.

Processor time per evaluation, median of process runs in one environment, that of `make peers`. Targets: the native
call at most 2, 1.5 and 1.3 times hand-written closures and at least 7 times as fast as the fastest other client;
through OpenFeature at most 1.15 times that client's own floor; a change at 1,000 clients within 100 ms (p99); no
evaluation held up for more than 10 ms (median of reloads) while 20,000 flags are exchanged; import within 20 ms and 3
MiB.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.kit.compiling import compiling
from bench.kit.find import PEERS
from bench.kit.table import print_table

KIT = Path(__file__).parent / "flagkit"
SOURCE = Path(__file__).parents[1] / "src"
PYTHON = PEERS / "bin" / "python"
RUNS = 5
CASES = ("static", "share", "rule")
TITLES = {"static": "static", "share": "10 % of users", "rule": "3 conditions"}
NAIVE, NATIVE, FLOOR, OURS = (
    "naive closures", "midair native", "OpenFeature + naive closures", "OpenFeature + midair",
)  # fmt: skip
OTHERS = ("growthbook", "launchdarkly", "flagsmith", "UnleashClient", "OpenFeature + flagd")
AT_MOST = {"static": 2.0, "share": 1.5, "rule": 1.3}
FASTER, OPENFEATURE, PUSH_MS, STALL_MS, IMPORT_MS, IMPORT_KIB = 7.0, 1.15, 100.0, 10.0, 20.0, 3 * 1024
LIGHT = """
import time
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4
before = time.process_time(), resident()
{what}
print((time.process_time() - before[0]) * 1e3, resident() - before[1])
"""

Times = dict[str, dict[str, float]]


def missing() -> str:
    """Why it cannot be measured here."""
    return "" if PYTHON.exists() else "the other clients are not installed; run make peers"


def main() -> int:
    """Print the tables; 1 when a target is missed."""
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as place:
        missed = [*evaluation(str(PYTHON)), *imports(str(PYTHON), Path(place))]
    missed += [*push(), *reload()]
    for text in missed:
        print(f"missed: {text}", file=sys.stderr)
    return 1 if missed else 0


def run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env={**compiling(), "PYTHONPATH": f"{SOURCE}:{KIT.parent}"},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout.strip().splitlines()[-1]


def evaluation(python: str) -> list[str]:
    runs: list[Times] = [json.loads(run([python, str(KIT / "evaluate.py")])) for _ in range(RUNS)]
    names = [name for name in runs[0] if all(name in one for one in runs)]
    times: Times = {
        name: {case: statistics.median(one[name][case] for one in runs) for case in CASES} for name in names
    }
    rows = [
        [
            name,
            *(f"{times[name][case]:.2f}" for case in CASES),
            *(f"{ratio(times, name, NAIVE, case):.2f}" for case in CASES),
        ]
        for name in names
    ]
    print_table(["µs of processor time", *TITLES.values(), *(f"× naive: {title}" for title in TITLES.values())], rows)
    others = [name for name in OTHERS if name in times]
    missed = []
    for case in CASES:
        if (found := ratio(times, NATIVE, NAIVE, case)) > AT_MOST[case]:
            missed.append(f"native, {case}: {found:.2f} times the naive closure, at most {AT_MOST[case]}")
        fastest = min(times[name][case] for name in others)
        if (found := fastest / times[NATIVE][case]) < FASTER:
            missed.append(f"native, {case}: {found:.1f} times as fast as the fastest other, at least {FASTER}")
        if (found := ratio(times, OURS, FLOOR, case)) > OPENFEATURE:
            missed.append(f"OpenFeature, {case}: {found:.2f} times the client's floor, at most {OPENFEATURE}")
        print(
            f"{TITLES[case]}: {fastest / times[NATIVE][case]:.1f} × as fast as the fastest other client; "
            f"through OpenFeature {ratio(times, OURS, FLOOR, case):.2f} × its floor"
        )
    return missed


def ratio(times: Times, name: str, beside: str, case: str) -> float:
    return times[name][case] / times[beside][case]


def imports(python: str, place: Path) -> list[str]:
    """With compiled files, as installed packages have them."""
    what = {
        "midair.openfeature": "import midair.openfeature",
        "openfeature-sdk": "import openfeature.api",
        "OpenFeature + flagd": "import openfeature.contrib.provider.flagd",
        "growthbook": "import growthbook",
        "launchdarkly": "import ldclient",
        "flagsmith": "import flagsmith",
        "UnleashClient": "import UnleashClient",
        "nothing": "pass",
    }
    os.environ["PYTHONPYCACHEPREFIX"] = str(place / "compiled")
    try:
        figures = {
            name: [tuple(map(float, run([python, "-c", LIGHT.format(what=line)]).split())) for _ in range(6)][1:]
            for name, line in what.items()
        }
    finally:
        del os.environ["PYTHONPYCACHEPREFIX"]
    nothing = min(kib for _, kib in figures.pop("nothing"))
    best = {name: (min(ms for ms, _ in runs), min(kib for _, kib in runs) - nothing) for name, runs in figures.items()}
    print()
    print_table(["import", "ms", "MiB"], [[name, f"{ms:.1f}", f"{kib / 1024:.1f}"] for name, (ms, kib) in best.items()])
    ms, kib = best["midair.openfeature"]
    return [f"import: {ms:.1f} ms, {kib:.0f} KiB"] if ms > IMPORT_MS or kib > IMPORT_KIB else []


def push() -> list[str]:
    found = json.loads(run([sys.executable, str(KIT / "push.py")]))
    print(f"\nchange at 1,000 clients: {', '.join(f'{name[:3]} {ms:.0f} ms' for name, ms in found.items())}")
    return [f"push: p99 {found['p99_ms']:.0f} ms"] if found["p99_ms"] > PUSH_MS else []


def reload() -> list[str]:
    found = json.loads(run([sys.executable, str(KIT / "reload.py")]))
    print(f"exchange of 20,000 flags: held up {found['median_ms']:.1f} ms, at worst {found['worst_ms']:.1f} ms")
    return [f"reload: {found['median_ms']:.1f} ms"] if found["median_ms"] > STALL_MS else []


if __name__ == "__main__":
    sys.exit(main())
