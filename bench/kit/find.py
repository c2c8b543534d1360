"""Where the programs are that midair is measured beside: on PATH, or where `make peers` puts them."""

import os
import shutil
import sys
from pathlib import Path

PEERS = Path(sys.prefix) / "peers"  # beside midair's own environment, so that neither changes the other


def find(program: str) -> str | None:
    """The path of a program, or None where it is not installed."""
    places = [str(PEERS / "bin"), str(PEERS / "node_modules" / ".bin"), os.environ.get("PATH", os.defpath)]
    return shutil.which(program, path=os.pathsep.join(places))


def missing(*programs: str) -> str:
    """Which of these are not there, for people; empty when all are."""
    absent = [program for program in programs if find(program) is None]
    return f"{' and '.join(absent)} not found; run make peers" if absent else ""
