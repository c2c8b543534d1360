"""`python -m bench [NAME…]`: run the benchmarks of these names, or all; exits with 1 when a target is missed."""

import importlib
import pkgutil
import sys
import time
import traceback
from typing import Literal

import pytest

import bench
from bench.kit.table import print_table

# Seconds on a machine of two cores, so that people know how long they will wait.
ABOUT_S = {
    "cli_start": 5, "code_change": 150, "core": 2, "docker": 120, "flags": 60, "idle": 96, "rolling": 43,
    "router_bodies": 35, "router_latency": 75, "router_throughput": 135, "router_websockets": 12,
}  # fmt: skip

Outcome = Literal["target met", "MISSED", "left out", "BROKEN"]


def names() -> list[str]:
    """Modules that measure something."""
    found = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.ispkg]
    return [name for name in found if name != "__main__" and hasattr(importlib.import_module(f"bench.{name}"), "main")]


def run(name: str, place: str) -> Outcome:
    """Run one. Whatever is wrong with it, the others are run as well."""
    module = importlib.import_module(f"bench.{name}")
    about = f", about {spell(ABOUT_S[name])}" if name in ABOUT_S else ""
    print(f"\n== {place} {name}{about}: {(module.__doc__ or '').strip().splitlines()[0]}\n", flush=True)
    if why := getattr(module, "missing", str)():
        print(f"left out: {why}")
        return "left out"
    try:
        return "MISSED" if module.main() else "target met"
    except pytest.skip.Exception as why:  # it is made of parts of the tests
        print(f"left out: {why}")
        return "left out"
    except Exception:
        traceback.print_exc()
        return "BROKEN"


def spell(seconds: float) -> str:
    """1:05 min or 12 s."""
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds // 60:.0f}:{seconds % 60:02.0f} min"


def main() -> int:
    """Run them one after the other, since they share the machine."""
    known = names()
    wanted = sys.argv[1:] or known
    if unknown := [name for name in wanted if name not in known]:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    total = sum(ABOUT_S.get(name, 0) for name in wanted)
    print(f"{len(wanted)} of {len(known)} benchmarks, about {spell(total)} in all", flush=True)
    rows: list[tuple[str, Outcome, str]] = []
    began = time.monotonic()
    for number, name in enumerate(wanted, 1):
        one_began = time.monotonic()
        outcome = run(name, f"{number}/{len(wanted)}")
        rows.append((name, outcome, spell(time.monotonic() - one_began)))
    print()
    print_table(["benchmark", "", "took"], [*rows, ("all", "", spell(time.monotonic() - began))])
    return int(any(outcome in ("MISSED", "BROKEN") for _, outcome, _ in rows))


if __name__ == "__main__":
    sys.exit(main())
