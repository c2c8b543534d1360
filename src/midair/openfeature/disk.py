"""The last good set of flags on disk, for starts while the server is away."""

from __future__ import annotations

import os
from zlib import crc32

from midair.flags import wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def default_path(url: str, flag_set: str) -> str:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "midair", f"flags-{crc32(f'{url} {flag_set}'.encode()):08x}")


def load(path: str) -> tuple[dict[str, Any], Mapping[str, bytes]] | None:
    """Head and flags; None when there are none, or no complete ones."""
    assembly = wire.Assembly({})
    try:
        with open(path, "rb") as file:
            for line in file.read().split(b"\n"):
                if assembly.take(line):
                    return assembly.head, assembly.flags
    except (OSError, ValueError, KeyError, AttributeError):
        pass
    return None


def save(path: str, head: Mapping[str, Any], flags: Mapping[str, bytes]) -> bool:
    """Whole or not at all. False when the disk will not have it: flags work without."""
    unfinished = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(wire.snapshot(head, flags))
        os.replace(unfinished, path)
    except OSError:
        return False
    return True
