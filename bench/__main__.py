"""`python -m bench [NAME…]`: run the benchmarks of these names, or all; exits with 1 when a target is missed."""

import importlib
import pkgutil
import sys

import bench


def names() -> list[str]:
    """Modules that measure something."""
    found = [module.name for module in pkgutil.iter_modules(bench.__path__) if not module.ispkg]
    return [name for name in found if name != "__main__" and hasattr(importlib.import_module(f"bench.{name}"), "main")]


def main() -> int:
    """Run them one after the other, since they share the machine."""
    known = names()
    wanted = sys.argv[1:] or known
    if unknown := [name for name in wanted if name not in known]:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    missed = []
    for name in wanted:
        module = importlib.import_module(f"bench.{name}")
        print(f"\n== {name}: {(module.__doc__ or '').strip().splitlines()[0]}\n", flush=True)
        if module.main():
            missed.append(name)
    if missed:
        print(f"\nmissed their targets: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
