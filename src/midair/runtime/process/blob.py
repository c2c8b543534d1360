"""Contents that releases share, by digest. Nothing in here is to be written to again.

A release is made of hard links into this store, never of links to the user's own files: editing such a file in place
would change a release. Where the file system can share the blocks of two files (reflink), taking a file in is free.

Permissions keep all but root from writing to a file of a release, which is one of this store. Who writes to it all the
same shows: the fraction of a second of a file's time is taken from its digest, and writing changes that time.
"""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from midair.source.reader import digest_of

_FICLONE = 0x40049409
_SECOND = 1_000_000_000
_FEW = 64  # new files: flushed one by one; more of them all at once


class Blobs:
    """The store of one project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str, mode: int) -> Path:
        """Where contents are kept. Permissions are part of the name: hard links share them."""
        return self._folder / digest[:2] / f"{digest}-{mode:o}"

    def holds(self, digest: str, mode: int) -> bool:
        """Are these contents here, as they were stored?"""
        try:
            found = self.path(digest, mode).stat()
        except FileNotFoundError:
            return False
        owner, permissions = found.st_uid, found.st_mode & 0o777
        return (owner, permissions, found.st_mtime_ns % _SECOND) == (os.geteuid(), mode, _fraction(digest))

    def was_written_to(self, digest: str, mode: int) -> bool:
        """Is there something else in the place of these contents? Reads it."""
        place = self.path(digest, mode)
        return place.exists() and digest_of(place) != digest

    def take_in(self, source: Path, mode: int) -> str:
        """Copy a file into the store and return the digest of what was copied."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".new-", dir=self._folder)
        draft = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as target, source.open("rb") as file:
                copy_contents(file.fileno(), target.fileno())
            draft.chmod(mode)
            digest = digest_of(draft)
            if self.holds(digest, mode):
                draft.unlink()
            else:
                stored = (time.time_ns() // _SECOND - 1) * _SECOND + _fraction(digest)
                os.utime(draft, ns=(stored, stored))
                place = self.path(digest, mode)
                place.parent.mkdir(exist_ok=True)
                draft.rename(place)  # releases that have what was written to keep it
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return digest

    def put(self, digest: str, mode: int, target: Path, *, writable: bool) -> None:
        """Make `target` a file with these contents: shared, or a copy of its own that may be written to."""
        source = self.path(digest, mode)
        if not writable:
            try:
                os.link(source, target)
                return
            except OSError:  # too many links
                pass
        with source.open("rb") as file, target.open("xb") as copy:
            copy_contents(file.fileno(), copy.fileno())
        target.chmod(mode | 0o200 if writable else mode)

    def flush(self, taken: list[Path]) -> None:
        """Have new contents on the disk before a release that needs them gets its name."""
        if len(taken) > _FEW:
            os.sync()
            return
        for path in taken:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def tidy(self) -> None:
        """Delete what no release uses any more, and drafts."""
        if not self._folder.is_dir():
            return
        for draft in self._folder.glob(".new-*"):
            draft.unlink(missing_ok=True)
        for path in self._folder.glob("*/*"):
            if path.stat().st_nlink == 1:
                path.unlink(missing_ok=True)


def _fraction(digest: str) -> int:
    return int(digest[:8], 16) % _SECOND


def copy_contents(source: int, target: int) -> None:
    """Copy one open file to another, sharing blocks where the file system can."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        with os.fdopen(os.dup(source), "rb") as reader, os.fdopen(os.dup(target), "wb") as writer:
            shutil.copyfileobj(reader, writer, 1024 * 1024)
