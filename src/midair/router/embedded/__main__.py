"""`python -m midair.router.embedded FOLDER`: the router process of one project."""

import argparse
import fcntl
import gc
import os
import resource
import sys
from pathlib import Path

import msgspec
import uvloop

from midair.router.embedded.held import Heritage
from midair.router.embedded.limits import Limits
from midair.router.embedded.serve import serve

_TAKEN = -1


def main() -> int:
    """Run a router. Exits with 3 when another one already serves the folder."""
    parser = argparse.ArgumentParser(prog="midair.router.embedded")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ready", type=int, help="descriptor to write to once it listens")
    parser.add_argument("--limits", default="{}", help="limits that differ, as JSON")
    parser.add_argument("--takeover", action="store_true", help="take the place of the router that runs")
    parser.add_argument("--heritage", default="{}", help="what was kept of a router that died, as JSON")
    options = parser.parse_args()
    os.umask(0o077)
    lock = None if options.takeover else _lock(options.folder)
    if lock == _TAKEN:
        return 3
    _raise_descriptor_limit()
    gc.freeze()  # nothing made so far is ever garbage
    gc.set_threshold(20_000, 20, 20)
    limits = msgspec.json.decode(options.limits, type=Limits)
    heritage = msgspec.json.decode(options.heritage, type=Heritage)
    uvloop.run(serve(options.folder, limits, lock, options.ready, heritage))
    return 0


def _lock(folder: Path) -> int:
    lock = os.open(folder / "router.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _TAKEN
    return lock


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
