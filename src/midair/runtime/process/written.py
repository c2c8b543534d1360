"""Finds the files that were written into a release after it was made. Reads names and attributes, never contents.

What midair and a build command put into a release may not be written to: none of its files has a write permission, and
none is younger than the release. So a file that has one, or is younger, was written since.
"""

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from midair.model.moment import Span
from midair.model.plan import Written
from midair.runtime.process.layout import Layout

_MOST = 500  # entries of an answer
_LONGEST_S: Span = 5.0
_WRITABLE = 0o222
# What a program makes again by itself, or what means nothing once it has ended.
_PASSING_FOLDERS = re.compile(r"__pycache__|\.?cache|\.[\w.-]+[_-]cache|\.hypothesis|\.nyc_output|\.parcel-cache")
_PASSING_FILES = re.compile(r".*\.(py[co]|pid|sock|swp|log(\.\d+)?(\.gz)?)|\.(git)?keep|\.gitignore")


def note_made(layout: Layout, release: str) -> None:
    """Say that a release is whole now. The time of this file is what files are compared with."""
    layout.made.mkdir(mode=0o700, exist_ok=True)
    (layout.made / release).touch(mode=0o600)


def forget_made(layout: Layout, release: str) -> None:
    """The release was removed."""
    (layout.made / release).unlink(missing_ok=True)


def look(layout: Layout, release: str, within: Span = _LONGEST_S) -> Written:
    """What was written into a release. Folders in which nothing else is stand for their files."""
    walk = _Walk(layout.release(release), _made_at(layout, release), time.monotonic() + within)
    try:
        found, _ = walk.below("")
    except FileNotFoundError:
        return Written()
    except (TimeoutError, RecursionError):
        return Written(dict(sorted(walk.found.items())[:_MOST]), is_whole=False)
    return Written(dict(sorted(found.items())[:_MOST]))


def files(layout: Layout, release: str) -> Iterator[str]:
    """Every file that was written into a release, relative to it, however long that takes."""
    top = layout.release(release)
    made_at = _made_at(layout, release)
    for folder, inner, names in os.walk(top):
        inner[:] = [name for name in inner if not _PASSING_FOLDERS.fullmatch(name)]
        for name in names:
            path = os.path.join(folder, name)
            if not _PASSING_FILES.fullmatch(name) and _is_written(os.lstat(path), made_at):
                yield os.path.relpath(path, top)


def _made_at(layout: Layout, release: str) -> int | None:
    try:
        return (layout.made / release).stat().st_mtime_ns
    except FileNotFoundError:
        return None  # made before this was noted


def _is_written(entry: os.stat_result, made_at: int | None) -> bool:
    if not stat.S_ISREG(entry.st_mode):
        return False
    return bool(entry.st_mode & _WRITABLE) or (made_at is not None and entry.st_mtime_ns > made_at)


class _Walk:
    """One look at a release."""

    def __init__(self, top: Path, made_at: int | None, deadline: float) -> None:
        self._top, self._made_at, self._deadline = top, made_at, deadline
        self.found: dict[str, int] = {}  # what is complete, should the time be over

    def below(self, folder: str) -> tuple[dict[str, int], bool]:
        """What was written below a folder, and whether there is anything else."""
        if time.monotonic() > self._deadline:
            raise TimeoutError
        written: dict[str, int] = {}
        is_mixed = False
        with os.scandir(self._top / folder) as entries:
            items = list(entries)
        for item in items:
            path = f"{folder}/{item.name}" if folder else item.name
            if item.is_dir(follow_symlinks=False):
                if not _PASSING_FOLDERS.fullmatch(item.name):
                    inner, mixed = self._inner(path)
                    written.update(inner if mixed else _folded(path, inner))
                    is_mixed = is_mixed or mixed
            elif not (item.is_symlink() or _PASSING_FILES.fullmatch(item.name)):
                if _is_written(item.stat(follow_symlinks=False), self._made_at):
                    written[path] = 1
                else:
                    is_mixed = True
        if is_mixed:
            self.found.update(written)
        return written, is_mixed

    def _inner(self, path: str) -> tuple[dict[str, int], bool]:
        try:
            return self.below(path)
        except FileNotFoundError:
            return {}, False
        except PermissionError:
            return {}, True


def _folded(path: str, inner: dict[str, int]) -> dict[str, int]:
    """A folder in the place of its files. One with a single folder in it stays that folder, which says more."""
    is_single_folder = len(inner) == 1 and next(iter(inner)).endswith("/")
    return inner if is_single_folder or not inner else {f"{path}/": sum(inner.values())}
