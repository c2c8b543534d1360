"""Opens build folders: lists them, reads their ignore files, and remembers the digests of files."""

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from midair.errors import BuildTrouble
from midair.source import ignore
from midair.source.ignore import Ignore
from midair.source.tree import Entry, Tree

_RACY_NS = 2_000_000_000  # a file changed this recently may change again without showing
_READABLE = 0o555  # the permissions that count of a release, which is never written to
_ALL = 0o777


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a file looked like when its digest was taken."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    digest: str


class Digests:
    """Remembered digests of the files below build folders. Kept in one file; losing it costs only time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, dict[str, Known]] | None = None

    def of(self, tree: Tree, entry: Entry) -> str | None:
        """The digest of a file, if it has not changed since it was taken."""
        known = self._all().get(_key(tree.root), {}).get(_key(entry.path))
        if known is None or (known.size, known.mtime_ns, known.ctime_ns, known.inode) != _looks(entry):
            return None
        return known.digest

    def read(self, tree: Tree) -> dict[str, str]:
        """The digest of every file of a tree, by path. Reads the contents of those that are not remembered.

        Raises OSError, FileNotFoundError for a file that went away meanwhile.
        """
        root = Path(tree.root)
        digests = {entry.path: self.of(tree, entry) or digest_of(root / entry.path) for entry in tree.files}
        self.keep(tree, digests)
        return digests

    def keep(self, tree: Tree, digests: dict[str, str]) -> None:
        """Remember the digests of a whole tree, by path, in place of what was known about it."""
        now = time.time_ns()
        kept = {
            _key(entry.path): Known(*_looks(entry), digests[entry.path])
            for entry in tree.entries
            if entry.path in digests and now - max(entry.mtime_ns, entry.ctime_ns) > _RACY_NS
        }
        everything = self._all()
        if everything.get(_key(tree.root)) == kept:
            return
        everything[_key(tree.root)] = kept
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


def is_file(path: Path) -> bool:
    """Whether there is a file, or a link to one."""
    return path.is_file()


def is_folder(path: Path) -> bool:
    """Whether there is a folder, or a link to one."""
    return path.is_dir()


def changed_ns(path: Path) -> int:
    """When a file was last changed, or its attributes. Raises OSError."""
    seen = path.stat()
    return max(seen.st_mtime_ns, seen.st_ctime_ns)


def read_ignore(context: Path, more: tuple[str, ...] = ()) -> Ignore:
    """The rules of a release: midair's own, those of the first ignore file there is, then `more`."""
    for name in ignore.OF_RELEASES:
        if (lines := read_lines(context / name)) is not None:
            break
    else:
        name, lines = "", []
    return rules_of(lambda: ignore.for_release(lines, name, more), context / name)


def read_lines(path: Path) -> list[str] | None:
    """The lines of an ignore file; None where there is none. Raises BuildTrouble."""
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BuildTrouble(f'cannot read "{path}": {error.strerror}') from error


def rules_of(make: Callable[[], Ignore], path: Path) -> Ignore:
    """What `make` returns. Raises BuildTrouble that names the file with a rule that is none."""
    try:
        return make()
    except ValueError as error:
        raise BuildTrouble(f'cannot read the rules of "{path}": {error}') from error


def read_tree(root: Path, rules: Ignore, outside: Path) -> Tree:
    """List what is to become a release. `outside` is midair's own folder, which is left out if it lies within.

    Raises BuildTrouble that names what cannot be read or kept; FileNotFoundError when a file went away meanwhile.
    """
    return _tree(root, rules, lambda item, path: _kept(item, path), outside)


def read_context(root: Path, rules: Ignore, outside: Path) -> Tree:
    """List what Docker is sent of a build context: all permissions count, and sockets and the like do not.

    Raises BuildTrouble and FileNotFoundError as `read_tree` does.
    """
    return _tree(root, rules, lambda item, path: _entry(item, path, _ALL), outside)


def _tree(root: Path, rules: Ignore, entry: "Reading", outside: Path) -> Tree:
    left_out: list[str] = []
    try:
        found = sorted(_walk(root, "", rules, entry, outside, left_out), key=lambda entry: entry.path.split("/"))
    except PermissionError as error:
        raise BuildTrouble(
            f'cannot read "{error.filename}": permission denied', hint="name it in .dockerignore or make it readable"
        ) from error
    except NotADirectoryError as error:
        raise BuildTrouble(f'cannot read "{error.filename}": it is not a directory') from error
    return Tree(str(root), tuple(found), tuple(sorted(left_out)))


Reading = Callable[["os.DirEntry[str]", str], Entry | None]


def _walk(root: Path, below: str, rules: Ignore, entry: Reading, outside: Path, left_out: list[str]) -> Iterator[Entry]:
    with os.scandir(root / below) as found:
        items = list(found)
    for item in items:
        path = f"{below}/{item.name}" if below else item.name
        is_folder = item.is_dir(follow_symlinks=False)
        ignored = rules.matches(path, folder=is_folder)
        if ignored and not (is_folder and not rules.may_skip_folders):
            if not rules.is_expected(path, folder=is_folder):
                left_out.append(path)
        elif not is_folder:
            if (made := entry(item, path)) is not None:
                yield made
        elif Path(item.path) != outside:
            inner = list(_walk(root, path, rules, entry, outside, left_out))
            if inner or not ignored:
                looks = item.stat(follow_symlinks=False)
                yield Entry(path, "folder", looks.st_mode & _ALL, 0, looks.st_mtime_ns, looks.st_ctime_ns)
            yield from inner


def _kept(item: "os.DirEntry[str]", path: str) -> Entry:
    made = _entry(item, path, _READABLE)
    if made is None:
        raise BuildTrouble(
            f'cannot keep "{item.path}" in a release: it is no file, folder or link',
            hint="remove it or name it in .dockerignore",
        )
    return made


def _entry(item: "os.DirEntry[str]", path: str, mode: int) -> Entry | None:
    found = item.stat(follow_symlinks=False)
    times = found.st_mtime_ns, found.st_ctime_ns
    if stat.S_ISLNK(found.st_mode):
        return Entry(path, "link", _ALL, 0, *times, target=os.readlink(item.path))
    if not stat.S_ISREG(found.st_mode):
        return None
    return Entry(path, "file", found.st_mode & mode, found.st_size, *times, found.st_ino)


def _looks(entry: Entry) -> tuple[int, int, int, int]:
    return entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode


def _key(path: str) -> str:
    return os.fsencode(path).decode("latin-1")  # a file name need not be text
