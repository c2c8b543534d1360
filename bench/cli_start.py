"""How long `midair status` takes from start to end, against a bare Python and one that imports click.

The control plane answers at once, so what is measured is the command line itself, compiled as an installed one is.
Target: below 150 ms in the median; processor time beside it, which a busy machine changes least.
"""

import os
import subprocess
import sys
import tempfile
import time

import msgspec

from bench.kit.compiling import compiling
from bench.kit.table import median, print_table

RUNS = 15
TARGET_MS = 150.0


class Run(msgspec.Struct, frozen=True):
    """One run, in milliseconds."""

    wall: float
    processor: float


def run(command: list[str], environment: dict[str, str]) -> Run:
    """Run it once."""
    began = time.perf_counter()
    nothing = subprocess.DEVNULL
    child = subprocess.Popen(command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Run((time.perf_counter() - began) * 1000, (used.ru_utime + used.ru_stime) * 1000)


def measure() -> dict[str, list[Run]]:
    """All runs, interleaved so that a busy machine is unfair to none."""
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as folder:
        environment = {**compiling(), "MIDAIR_HOME": folder}
        midair = [sys.executable, "-m", "midair"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c import click": [sys.executable, "-c", "import click"],
            "midair status": [*midair, "-p", "bench", "status"],
        }
        subprocess.run([*midair, "daemon", "start"], env=environment, stdout=subprocess.DEVNULL, check=True)
        try:
            for command in commands.values():
                run(command, environment)
            taken: dict[str, list[Run]] = {name: [] for name in commands}
            for _ in range(RUNS):
                for name, command in commands.items():
                    taken[name].append(run(command, environment))
        finally:
            subprocess.run([*midair, "daemon", "stop"], env=environment, stdout=subprocess.DEVNULL, check=False)
    return taken


def main() -> int:
    """Print the table; 1 when the target is missed."""
    found = measure()
    rows = []
    for name, runs in found.items():
        walls, processor = [one.wall for one in runs], median([one.processor for one in runs])
        rows.append([name, f"{min(walls):.0f} ms", f"{median(walls):.0f} ms", f"{processor:.0f} ms"])
    print_table(["command", "quickest", "median", "processor"], rows)
    took = median([one.wall for one in found["midair status"]])
    print(f"\nmidair status takes {took:.0f} ms (target {TARGET_MS:.0f})")
    return 0 if took < TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
