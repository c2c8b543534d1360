"""Lists the files of a build directory. Reads names and attributes, never contents."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from midair.errors import BuildTrouble
from midair.runtime.process.ignore import Ignore

READABLE = 0o555  # the permissions that count: a release is never written to


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
    """What a release is made of."""

    root: Path
    entries: tuple[Entry, ...]  # sorted by path; a folder comes before what is in it
    left_out: tuple[str, ...]  # by rules, topmost only

    @property
    def leaving(self) -> tuple[str, ...]:
        """Links that lead out of the tree: what they lead to is not part of the release."""
        return tuple(entry.path for entry in self.entries if entry.kind == "link" and _leaves(entry))


def read_tree(root: Path, ignore: Ignore, outside: Path) -> Tree:
    """List `root`. `outside` is midair's own folder, which is left out if it lies within.

    Raises BuildTrouble that names what cannot be read or kept; FileNotFoundError when a file went away meanwhile.
    """
    left_out: list[str] = []
    try:
        entries = sorted(_walk(root, "", ignore, outside, left_out), key=lambda entry: entry.path.split("/"))
    except PermissionError as error:
        raise BuildTrouble(
            f'cannot read "{error.filename}": permission denied', hint="name it in .dockerignore or make it readable"
        ) from error
    except NotADirectoryError as error:
        raise BuildTrouble(f'cannot read "{error.filename}": it is not a directory') from error
    return Tree(root, tuple(entries), tuple(sorted(left_out)))


def _walk(root: Path, below: str, ignore: Ignore, outside: Path, left_out: list[str]) -> Iterator[Entry]:
    with os.scandir(root / below) as found:
        items = list(found)
    for item in items:
        path = f"{below}/{item.name}" if below else item.name
        is_folder = item.is_dir(follow_symlinks=False)
        ignored = ignore.matches(path, folder=is_folder)
        if ignored and not (is_folder and not ignore.may_skip_folders):
            if not ignore.is_expected(path, folder=is_folder):
                left_out.append(path)
        elif not is_folder:
            yield _entry(item, path)
        elif Path(item.path) != outside:
            inner = list(_walk(root, path, ignore, outside, left_out))
            if inner or not ignored:
                yield Entry(path, "folder", item.stat(follow_symlinks=False).st_mode & 0o777)
            yield from inner


def _entry(item: os.DirEntry[str], path: str) -> Entry:
    found = item.stat(follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        return Entry(path, "link", 0o777, target=os.readlink(item.path))
    if not stat.S_ISREG(found.st_mode):
        raise BuildTrouble(
            f'cannot keep "{item.path}" in a release: it is no file, folder or link',
            hint="remove it or name it in .dockerignore",
        )
    mode = found.st_mode & READABLE
    return Entry(path, "file", mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _leaves(link: Entry) -> bool:
    if os.path.isabs(link.target):
        return True
    place = os.path.normpath(os.path.join(os.path.dirname(link.path), link.target))
    return place == ".." or place.startswith("../")
