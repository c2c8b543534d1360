"""The files of a build folder as values, and the digests that name them."""

import hashlib
import json
import posixpath
from typing import Any, Literal

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One file, folder or symbolic link, with all by which a change of it shows."""

    path: str  # relative, with "/"
    kind: Literal["file", "folder", "link"]
    mode: int
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    inode: int = 0
    target: str = ""  # of a link


class Tree(msgspec.Struct, frozen=True):
    """What counts of a build folder."""

    root: str
    entries: tuple[Entry, ...]  # sorted by path; a folder comes before what is in it
    left_out: tuple[str, ...] = ()  # by rules, topmost only

    @property
    def files(self) -> tuple[Entry, ...]:
        """The files alone."""
        return tuple(entry for entry in self.entries if entry.kind == "file")

    @property
    def leaving(self) -> tuple[str, ...]:
        """Links that lead out of the tree: what they lead to is not part of the release."""
        return tuple(entry.path for entry in self.entries if entry.kind == "link" and _leaves(entry))


def changed(before: Tree, after: Tree) -> tuple[str, ...]:
    """Files and links that came, went, or do not look any more as they did."""
    first, second = ({one.path: one for one in tree.entries if one.kind != "folder"} for tree in (before, after))
    return tuple(path for path in sorted(first.keys() | second.keys()) if first.get(path) != second.get(path))


def release_digest(tree: Tree, digests: dict[str, str], *more: str) -> str:
    """The content id of a release: names, permissions, contents, and whatever else makes it."""
    total = hashlib.sha256()
    for text in more:
        total.update(msgspec.msgpack.encode(text))
    for entry in tree.entries:
        mode = entry.mode if entry.kind == "file" else 0
        content = digests.get(entry.path, entry.target)
        total.update(msgspec.msgpack.encode((_bytes(entry.path), entry.kind, mode, _bytes(content))))
    return total.hexdigest()[:16]


def context_digest(recipe: list[Any], tree: Tree, digests: dict[str, str], beside: dict[str, str] | None = None) -> str:
    """The content id of a Docker build: its settings, its context, and the digests of files beside the context."""
    total = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    filled = {posixpath.dirname(entry.path) for entry in tree.entries}
    for entry in tree.entries:
        if entry.kind == "link":
            line = f"{entry.path}->{entry.target}"
        elif entry.kind == "file":
            line = f"{entry.path}:{entry.mode:o}:{digests[entry.path]}"
        elif entry.path not in filled:
            line = f"{entry.path}/:{entry.mode:o}"  # an empty folder: others show by what is in them
        else:
            continue
        total.update(_bytes(f"{line}\0"))
    for name, digest in (beside or {}).items():
        total.update(_bytes(f"{name}={digest}\0"))
    return total.hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # a file name need not be text


def _leaves(link: Entry) -> bool:
    if posixpath.isabs(link.target):
        return True
    place = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return place == ".." or place.startswith("../")
