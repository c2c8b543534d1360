"""Links from a release to files that outlive it, and the moves that put those files where they stay.

A move goes through names only, so that each of its steps is there or is not: the files beside a database first, then
the file, then the link in its place. Whoever is killed in between leaves a move that the next start ends. Nothing that
somebody wrote is removed: what is in the way of a link goes to a folder of its own.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from midair.errors import RuntimeTrouble
from midair.model.project import BESIDE, Link, Revision
from midair.runtime.process import written
from midair.runtime.process.blob import copy_contents
from midair.runtime.process.layout import Layout
from midair.runtime.process.user import User


def make_links(layout: Layout, revision: Revision, user: User | None, in_use: Iterable[str]) -> None:
    """Make the links of a revision in its release. Again is harmless.

    `in_use`: releases in which something runs. Raises RuntimeTrouble.
    """
    if revision.release is None:
        return
    work = _Links(layout, revision, user, frozenset(in_use))
    for link in revision.service.links:
        try:
            work.make(link)
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror or error)
            raise RuntimeTrouble(f'cannot link "{link.path}" of service "{revision.service.name}": {reason}') from error


def left_folder(layout: Layout, release: str) -> Path:
    """A new folder for what was written into a release and is in the way, or is left when the release is removed."""
    for number in range(1, 10_000):
        folder = layout.left / (release if number == 1 else f"{release}.{number}")
        if not folder.exists():
            return folder
    raise OSError(f"too many folders in {layout.left}")


def keep_written(layout: Layout, release: str, below: str = "") -> None:
    """Move what was written into a release, or below one path in it, out of the way. Raises OSError."""
    folder = None
    for path in list(written.files(layout, release)):
        if not below or path == below or path.startswith(f"{below}/"):
            folder = folder or left_folder(layout, release)
            target = folder / path
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            (layout.release(release) / path).rename(target)


class _Links:
    """The links of one revision."""

    def __init__(self, layout: Layout, revision: Revision, user: User | None, in_use: frozenset[str]) -> None:
        self._layout, self._user, self._in_use = layout, user, in_use
        self._service = revision.service
        self._release = revision.release or ""
        self._earlier = revision.earlier

    def make(self, link: Link) -> None:
        place = self._place(link)
        at = self._at(self._release, link)
        if link.is_kept and not os.path.lexists(place):
            self._bring(link, place)
        self._provide(link, place)
        if link.is_kept:
            self._link_earlier(link, place)
        if at.is_symlink() and os.readlink(at) == str(place):
            return
        if at.is_symlink():
            at.unlink()  # to another place, or left by the code: it is no data
        elif os.path.lexists(at):
            keep_written(self._layout, self._release, link.path.rstrip("/"))
            _clear(at)  # the code's own, as the next snapshot has it again
        self._folder(at.parent)
        at.symlink_to(place)

    def _place(self, link: Link) -> Path:
        if link.source:
            return Path(link.source)
        if link.volume:
            return self._layout.volumes / link.volume
        return self._layout.shared / self._service.shared_place / link.path.rstrip("/")

    def _at(self, release: str, link: Link) -> Path:
        """Where the link is to be. No folder on the way there may be a link itself."""
        at = self._layout.release(release)
        for part in Path(link.path).parent.parts:
            at = at / part
            if at.is_symlink():
                raise RuntimeTrouble(
                    f'cannot link "{link.path}" of service "{self._service.name}": "{part}" is a link of the code'
                )
        return at / Path(link.path).name

    def _bring(self, link: Link, place: Path) -> None:
        """Have at the place what the service wrote into an earlier release, else what the code comes with."""
        for release in self._earlier:
            at = self._at(release, link)
            if not os.path.lexists(at) or at.is_symlink():
                continue
            if release in self._in_use:
                raise RuntimeTrouble(
                    f'cannot move "{link.path}" of service "{self._service.name}": something still runs in its release'
                )
            self._make_parents(place)
            for end in BESIDE:
                if (beside := at.with_name(at.name + end)).is_file():
                    beside.rename(place.with_name(place.name + end))
            at.rename(place)
            _own(place)
            return
        at = self._at(self._release, link)
        if os.path.lexists(at) and not at.is_symlink():
            self._make_parents(place)
            draft = place.with_name(f".new-{place.name}")
            _clear(draft)
            if at.is_dir():
                shutil.copytree(at, draft, symlinks=True)
            else:
                shutil.copy2(at, draft)
            for path in (draft, *_below(draft)):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | 0o200)
                    self._give(path)
            draft.rename(place)

    def _provide(self, link: Link, place: Path) -> None:
        """A folder has to be there; a file is made by whoever writes it, so the folder around it has to be."""
        if link.is_kept:
            self._make_parents(place)
        if not place.exists() and (link.path.endswith("/") or link.source):
            place.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._give(place)

    def _link_earlier(self, link: Link, place: Path) -> None:
        """Leave a link where the files were, so that an undo finds them."""
        for release in self._earlier:
            at = self._at(release, link)
            if self._layout.release(release).is_dir() and not os.path.lexists(at):
                self._folder(at.parent)
                at.symlink_to(place)

    def _make_parents(self, place: Path) -> None:
        """The folders around a place are the service's: a database makes files beside itself."""
        top = self._layout.volumes if place.is_relative_to(self._layout.volumes) else self._layout.shared
        top.mkdir(mode=0o711, exist_ok=True)
        self._folder(place.parent)

    def _folder(self, folder: Path) -> None:
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(mode=0o755)
            self._give(each)

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid, follow_symlinks=False)


def _own(place: Path) -> None:
    """Files that a release shares with others become files of their own, which may be written to."""
    for path in (place, *_below(place)):
        found = path.lstat()
        if path.is_symlink() or path.is_dir() or found.st_nlink == 1:
            continue
        draft = path.with_name(f".new-{path.name}")
        with path.open("rb") as source, draft.open("wb") as target:
            copy_contents(source.fileno(), target.fileno())
        shutil.copystat(path, draft)
        draft.chmod(found.st_mode & 0o777 | 0o200)
        if os.geteuid() == 0:
            os.chown(draft, found.st_uid, found.st_gid)
        draft.rename(path)
    if not place.is_dir() and not place.stat().st_mode & 0o222:
        place.chmod(place.stat().st_mode | 0o200)


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _below(folder: Path) -> Iterator[Path]:
    for top, folders, names in os.walk(folder):
        yield from (Path(top, name) for name in (*folders, *names))
