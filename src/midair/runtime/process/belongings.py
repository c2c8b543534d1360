"""Lists what users and services of a project have written: what goes when the project is forgotten, and only then."""

import os
from collections.abc import Iterator
from pathlib import Path

from midair.runtime.process import written
from midair.runtime.process.layout import Layout

_MOST = 100  # lines


def lines(layout: Layout) -> tuple[str, ...]:
    """One line each, with how much it is."""
    found = [*_shared(layout), *_volumes(layout), *_left(layout), *_in_releases(layout)]
    return (*found[:_MOST], *([f"and {len(found) - _MOST} more"] if len(found) > _MOST else []))


def are_there(layout: Layout) -> bool:
    """Whether there is anything of the kind."""
    return bool(lines(layout))


def _shared(layout: Layout) -> Iterator[str]:
    for place in _entries(layout.shared):
        for entry in _entries(place):
            if size := _size(entry):
                yield f"shared {_name(entry)} ({size})"


def _volumes(layout: Layout) -> Iterator[str]:
    for entry in _entries(layout.volumes):
        if size := _size(entry):
            yield f"volume {entry.name} ({size})"


def _left(layout: Layout) -> Iterator[str]:
    for folder in _entries(layout.left):
        for entry in _entries(folder):
            if size := _size(entry):
                yield f"{_name(entry)} of the former release {folder.name} ({size})"


def _in_releases(layout: Layout) -> Iterator[str]:
    for folder in _entries(layout.releases):
        if folder.is_dir() and not folder.name.startswith("."):
            for path, count in written.look(layout, folder.name).files.items():
                yield f"{path} of release {folder.name}" + (f" ({count} files)" if count > 1 else "")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def _name(entry: Path) -> str:
    return f"{entry.name}/" if entry.is_dir() else entry.name


def _size(entry: Path) -> str:
    """How many files and bytes; "" for folders without a file."""
    sizes = [entry.lstat().st_size] if not entry.is_dir() else []
    for top, _, names in os.walk(entry):
        sizes += [os.lstat(os.path.join(top, name)).st_size for name in names]
    if not sizes:
        return ""
    total = sum(sizes)
    amount = f"{total / 1e6:.1f} MB" if total >= 100_000 else f"{total / 1e3:.1f} kB" if total >= 100 else f"{total} B"
    return f"{len(sizes)} file{'s' if len(sizes) > 1 else ''}, {amount}" if entry.is_dir() else amount
