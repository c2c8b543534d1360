"""Which releases are still being built. A build runs in the place where its release will live, so a folder alone is
no proof that a release is whole: until it is, a mark stands beside it, which a daemon that dies leaves behind.

What a build makes often carries the path of its folder (the scripts of a Python venv do), so it cannot be moved.
"""

import os
import secrets
from pathlib import Path
from shutil import rmtree

from midair.runtime.process.layout import Layout

DRAFT = ".new-"  # a folder with this prefix is never used and may be removed at any time
_MARK = ".building-"


class Unfinished:
    """The marks of one project."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def is_whole(self, release: str) -> bool:
        """True for a release that may be run."""
        return self._layout.release(release).is_dir() and not self._mark(release).exists()

    def is_marked(self, release: str) -> bool:
        """True while a release is being built, or when nobody knows how far its build had come."""
        return self._mark(release).exists()

    def begin(self, draft: Path, release: str) -> Path:
        """Move a laid-out snapshot to the place of its release, marked as unfinished. Returns the place."""
        place = self._layout.release(release)
        self._mark(release).touch(mode=0o600)
        _flush(self._layout.releases)  # the mark is on the disk before there is anything that it warns of
        self._remove(place)
        draft.rename(place)
        return place

    def finish(self, release: str) -> None:
        """From now on the release is whole. What was built has to be on the disk already."""
        self._mark(release).unlink()
        _flush(self._layout.releases)

    def discard(self, release: str) -> None:
        """Remove what a build that failed has made. The mark goes last."""
        self._remove(self._layout.release(release))
        self._mark(release).unlink(missing_ok=True)

    def tidy(self) -> None:
        """Remove what builds of a dead daemon have left."""
        for mark in self._layout.releases.glob(f"{_MARK}*"):
            self.discard(mark.name.removeprefix(_MARK))

    def _mark(self, release: str) -> Path:
        return self._layout.releases / f"{_MARK}{release}"

    def _remove(self, place: Path) -> None:
        """Free a place at once. A build may leave folders that cannot be removed as they are."""
        if place.exists():
            aside = self._layout.release(f"{DRAFT}gone-{secrets.token_hex(8)}")
            place.rename(aside)
            remove(aside)


def remove(folder: Path) -> None:
    """Remove a folder and all in it, also where a build took away the right to write."""
    rmtree(folder, ignore_errors=True)
    if folder.is_dir():
        for top, _, _ in os.walk(folder):
            os.chmod(top, 0o700)
        rmtree(folder, ignore_errors=True)


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
