"""How long `midair status` takes from start to end, against a bare Python and one that imports click.

The control plane answers at once, so what is measured is the command line itself. Target: below 150 ms.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNS = 15
TARGET_MS = 150.0


def milliseconds(command: list[str], environment: dict[str, str]) -> float:
    """Wall time of one run."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - began) * 1000


def measure() -> dict[str, float]:
    """Medians in milliseconds, runs interleaved so that a busy machine is unfair to none."""
    with tempfile.TemporaryDirectory(prefix="midair-bench-") as folder:
        environment = {**os.environ, "MIDAIR_HOME": folder}
        midair = [sys.executable, "-m", "midair"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c import click": [sys.executable, "-c", "import click"],
            "midair status": [*midair, "-p", "bench", "status"],
        }
        subprocess.run([*midair, "daemon", "start"], env=environment, stdout=subprocess.DEVNULL, check=True)
        try:
            taken: dict[str, list[float]] = {name: [] for name in commands}
            for _ in range(RUNS):
                for name, command in commands.items():
                    taken[name].append(milliseconds(command, environment))
        finally:
            subprocess.run([*midair, "daemon", "stop"], env=environment, stdout=subprocess.DEVNULL, check=False)
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> int:
    """Print the table; 1 when the target is missed."""
    found = measure()
    for name, value in found.items():
        print(f"{name:<24}{value:>7.0f} ms")
    return 0 if found["midair status"] < TARGET_MS else 1


if __name__ == "__main__":
    sys.exit(main())
