"""Digests of file contents, remembered as long as a file's attributes stay the same."""

import hashlib
import os
import time
from pathlib import Path

import msgspec

from midair.runtime.process.tree import Entry, Tree

_RACY_NS = 2_000_000_000  # a file changed this recently may change again without showing


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a file looked like when its digest was taken."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: str


class Digests:
    """Remembered digests of the files below build directories. Kept in one file; losing it costs only time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Known]] | None = None

    def of(self, tree: Tree, entry: Entry) -> str | None:
        """The digest of a file, if it has not changed since it was taken."""
        known = self._all().get(_key(str(tree.root)), {}).get(_key(entry.path))
        if known is None or (known.size, known.mtime_ns, known.ctime_ns, known.inode) != _looks(entry):
            return None
        return known.digest

    def keep(self, tree: Tree, digests: dict[str, str]) -> None:
        """Remember the digests of a whole tree, by path, in place of what was known about it."""
        now = time.time_ns()
        kept = {
            _key(entry.path): Known(*_looks(entry), digests[entry.path])
            for entry in tree.entries
            if entry.path in digests and now - max(entry.mtime_ns, entry.ctime_ns) > _RACY_NS
        }
        everything = self._all()
        if everything.get(_key(str(tree.root))) == kept:
            return
        everything[_key(str(tree.root))] = kept
        draft = self._path.with_suffix(".new")
        try:
            draft.touch(mode=0o600)
            draft.write_bytes(msgspec.msgpack.encode(everything))
            draft.rename(self._path)
        except OSError:
            draft.unlink(missing_ok=True)  # only time is lost

    def _all(self) -> dict[str, dict[str, Known]]:
        if self._known is None:
            try:
                self._known = msgspec.msgpack.decode(self._path.read_bytes(), type=dict[str, dict[str, Known]])
            except (OSError, msgspec.MsgspecError):
                self._known = {}
        return self._known


def digest_of(path: Path) -> str:
    """The digest of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_digest(tree: Tree, digests: dict[str, str], *more: str) -> str:
    """The content id of a tree: names, permissions, contents, and whatever else makes the release."""
    total = hashlib.sha256()
    for text in more:
        total.update(msgspec.msgpack.encode(text))
    for entry in tree.entries:
        mode = entry.mode if entry.kind == "file" else 0
        content = digests.get(entry.path, entry.target)
        total.update(msgspec.msgpack.encode((os.fsencode(entry.path), entry.kind, mode, os.fsencode(content))))
    return total.hexdigest()[:16]


def _looks(entry: Entry) -> tuple[int, int, int, int]:
    return entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode


def _key(path: str) -> str:
    return os.fsencode(path).decode("latin-1")  # a file name need not be text
