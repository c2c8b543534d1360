"""Disks that misbehave: a small one that can be filled, and a folder that turns read-only. They need root."""

import os
import subprocess
from contextlib import contextmanager

import pytest


def _mount(*arguments):
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


@contextmanager
def small_disk(folder, size="24m"):
    """An empty disk of this size at `folder`, for a `with` block."""
    if os.geteuid():
        pytest.skip("only root may mount")
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def read_only(folder):
    """Nothing in `folder` can be opened for writing, for a `with` block."""
    if os.geteuid():
        pytest.skip("only root may mount")
    _mount("--bind", str(folder), str(folder))
    try:
        _mount("-o", "remount,bind,ro", str(folder))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@contextmanager
def filled(folder):
    """Every byte of the disk that `folder` is on is taken, for a `with` block."""
    filler = folder / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while file.write(b"\0" * size):
                        pass
                except OSError:
                    continue
        yield
    finally:
        filler.unlink(missing_ok=True)
