"""Releases: immutable snapshots of build directories, named by their contents.

A release without a build command is made beside its place and gets its name in one step. One with a build command is
built in its place, and `unfinished` says so until it is whole. The id is computed from what was copied: a file that is
edited meanwhile is in it either as it was or as it became.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from midair.errors import BuildTrouble
from midair.model.moment import Span
from midair.model.project import Build, Revision, Service
from midair.runtime.base import Progress
from midair.runtime.process import command
from midair.runtime.process.blob import Blobs
from midair.runtime.process.command import Command
from midair.runtime.process.layout import Layout
from midair.runtime.process.links import keep_written
from midair.runtime.process.place import shell_or_own
from midair.runtime.process.thread import Made, to_its_end
from midair.runtime.process.translate import MARK
from midair.runtime.process.unfinished import DRAFT, Unfinished, remove
from midair.runtime.process.written import forget_made, note_made
from midair.source.reader import Digests, read_ignore, read_tree
from midair.source.tree import Tree, changed, release_digest
from midair.spec.paths import is_remote

_ATTEMPTS = 5  # while files come and go
_BUILD_TIMEOUT_S: Span = 3600.0
_LAST_LINES = 8
_SHOWN = 6
_MOST_KEPT = 32  # trees that were read for plans


class Snapshot(msgspec.Struct, frozen=True):
    """What was found in a build directory."""

    tree: Tree
    release: str
    is_new: bool
    renewed: tuple[str, ...]  # files that somebody wrote to in an earlier release
    changed: tuple[str, ...] = ()  # files that are not any more as they were read


class Kept(msgspec.Struct, frozen=True):
    """A build directory as it was read, with its contents in the store."""

    tree: Tree
    digests: dict[str, str]
    renewed: tuple[str, ...]


class Releases:
    """The releases of one project."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._blobs = Blobs(layout.blobs)
        self._digests = Digests(layout.digests)
        self._unfinished = Unfinished(layout)
        self._kept: dict[str, Kept] = {}  # by release
        self._building = asyncio.Lock()  # two services may have the same release
        self._lock = asyncio.Lock()  # blobs without a link are rubbish to `prune`, and material to a snapshot

    async def fingerprint(self, service: Service, *, keep: bool = False) -> str | None:
        """The id of the release that `prepare` would make now. `keep`: it makes it of what was read for this."""
        if service.build is None:
            return None
        async with self._lock:
            return await to_its_end(self._fingerprint, service, service.build, keep)

    async def prepare(
        self, service: Service, progress: Progress, shell: Mapping[str, str] | None, release: str | None = None
    ) -> str | None:
        """Make the release, unless it is there: of what was kept as `release`, else of what the folder holds now."""
        if service.build is None:
            return None
        draft = self._layout.release(DRAFT + secrets.token_hex(8))
        try:
            async with self._lock:
                kept = self._kept.get(release or "")
                snapshot = await to_its_end(self._snapshot, service, service.build, draft, kept)
            _tell(service, snapshot, progress)
            if release not in (None, snapshot.release):
                progress(f"{service.name}: its code was changed after the plan; the release has it as it is now")
            if snapshot.is_new and service.build.command is None:
                await to_its_end(self._name, draft, snapshot.release)
            elif snapshot.is_new:
                async with self._building:
                    await self._build_in_place(service, service.build, draft, snapshot.release, progress, shell)
        except BaseException as error:
            await to_its_end(remove, draft)
            if isinstance(error, OSError):
                raise _trouble(service, error) from error
            raise
        return snapshot.release

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """Have an earlier release. Returns why that cannot be, else ""."""
        release, service = revision.release, revision.service
        if release is None or await to_its_end(self._unfinished.is_whole, release):
            return ""
        removed = f'release "{release}" of service "{service.name}" was removed'
        try:
            if await self.fingerprint(service) == release:
                await self.prepare(service, progress, revision.shell)
                return ""
        except BuildTrouble as error:
            return f"{removed}, and cannot be made again: {error.message}"
        return f"{removed}, and its build directory is another one now"

    async def prune(self, keep: set[str]) -> None:
        """Delete all releases but these."""
        async with self._lock:
            await to_its_end(self._prune, keep)

    def tidy(self) -> None:
        """Remove what a dead daemon left half-made."""
        if self._layout.releases.is_dir():
            self._unfinished.tidy()
            for draft in self._layout.releases.glob(f"{DRAFT}*"):
                remove(draft)
            self._blobs.tidy()

    def _fingerprint(self, service: Service, build: Build, keep: bool) -> str:
        def read(tree: Tree) -> str:
            if not keep:
                return release_digest(tree, self._digests.read(tree), *_recipe(service, build))
            kept = self._keep(tree)
            release = release_digest(tree, kept.digests, *_recipe(service, build))
            self._kept.pop(release, None)
            self._kept[release] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.pop(next(iter(self._kept)))
            return release

        return self._of_tree(service, build, read)

    def _keep(self, tree: Tree) -> "Kept":
        digests, renewed = self._take_in(tree)
        self._digests.keep(tree, digests)
        return Kept(tree, digests, renewed)

    def _snapshot(self, service: Service, build: Build, draft: Path, kept: "Kept | None") -> Snapshot:
        def copy(tree: Tree) -> Snapshot:
            whole = kept if kept is not None and self._is_here(kept) else self._keep(tree)
            release = release_digest(whole.tree, whole.digests, *_recipe(service, build))
            is_new = not self._unfinished.is_whole(release)
            if is_new:
                self._lay_out(whole.tree, whole.digests, draft, writable=build.command is not None)
            return Snapshot(whole.tree, release, is_new, whole.renewed, changed(whole.tree, tree))

        return self._of_tree(service, build, copy)

    def _is_here(self, kept: "Kept") -> bool:
        return all(self._blobs.holds(kept.digests[entry.path], entry.mode) for entry in kept.tree.files)

    def _of_tree(self, service: Service, build: Build, make: Callable[[Tree], Made]) -> Made:
        if is_remote(build.context):
            raise BuildTrouble(
                f'cannot make a release of service "{service.name}": "{build.context}" is on another machine',
                hint="clone it and name the folder, or run the service on Docker, which fetches it",
            )
        context = Path(build.context)
        for _ in range(_ATTEMPTS):
            try:
                return make(read_tree(context, read_ignore(context, build.ignore), self._layout.home))
            except FileNotFoundError as error:
                if not context.is_dir():
                    raise BuildTrouble(
                        f'cannot read "{context}" of service "{service.name}": no such folder'
                    ) from error
            except PermissionError as error:
                raise BuildTrouble(
                    f'cannot read "{error.filename}": permission denied',
                    hint="name it in .dockerignore or make it readable",
                ) from error
            except OSError as error:
                raise _trouble(service, error) from error
        raise BuildTrouble(f'cannot make a release of service "{service.name}": files in "{context}" keep going away')

    def _take_in(self, tree: Tree) -> tuple[dict[str, str], tuple[str, ...]]:
        digests: dict[str, str] = {}
        new: list[Path] = []
        renewed: list[str] = []
        for entry in tree.entries:
            if entry.kind != "file":
                continue
            digest = self._digests.of(tree, entry)
            if digest is None or not self._blobs.holds(digest, entry.mode):
                if digest is not None and self._blobs.was_written_to(digest, entry.mode):
                    renewed.append(entry.path)
                digest = self._blobs.take_in(Path(tree.root) / entry.path, entry.mode)
                new.append(self._blobs.path(digest, entry.mode))
            digests[entry.path] = digest
        self._blobs.flush(new)
        return digests, tuple(renewed)

    def _lay_out(self, tree: Tree, digests: dict[str, str], draft: Path, *, writable: bool) -> None:
        self._layout.releases.mkdir(mode=0o711, parents=True, exist_ok=True)
        remove(draft)  # of an attempt before this one
        draft.mkdir()
        draft.chmod(0o755)
        for entry in tree.entries:
            place = draft / entry.path
            if entry.kind == "folder":
                place.mkdir()
                place.chmod(entry.mode | 0o700)
            elif entry.kind == "link":
                place.symlink_to(entry.target)
            else:
                self._blobs.put(digests[entry.path], entry.mode, place, writable=writable)

    async def _build_in_place(
        self, service: Service, build: Build, draft: Path, release: str, progress: Progress,
        shell: Mapping[str, str] | None,
    ) -> None:  # fmt: skip
        if self._unfinished.is_whole(release):  # somebody was faster
            await to_its_end(remove, draft)
            return
        try:
            place = await to_its_end(self._unfinished.begin, draft, release)
            await self._build(service, build, place, progress, shell)
            note_made(self._layout, release)
            await to_its_end(self._unfinished.finish, release)
        except BaseException:
            await to_its_end(self._unfinished.discard, release)
            raise

    async def _build(
        self, service: Service, build: Build, place: Path, progress: Progress, shell: Mapping[str, str] | None
    ) -> None:
        environment = {**shell_or_own(shell), **build.args, **_visible(service), MARK: f"{place}#command"}
        argv = ("/bin/sh", "-c", build.command or "")
        progress(f"{service.name}: {build.command}")
        ended = await command.run(
            Command(argv, environment, place, _BUILD_TIMEOUT_S), lambda line: progress(f"{service.name}: {line}")
        )
        if ended.trouble:
            lines = "".join(f"\n  {line}" for line in ended.output.splitlines()[-_LAST_LINES:])
            how = f"ended with code {ended.code}" if ended.code is not None else "did not end within an hour"
            raise BuildTrouble(f'cannot build service "{service.name}": "{build.command}" {how}{lines}')
        await to_its_end(_protect, place)
        await to_its_end(os.sync)  # what is not marked is whole, also after a power failure

    def _name(self, draft: Path, release: str) -> None:
        try:
            draft.rename(self._layout.release(release))
        except OSError:
            if not self._layout.release(release).is_dir():
                raise
            remove(draft)  # somebody was faster
            return
        note_made(self._layout, release)
        descriptor = os.open(self._layout.releases, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _prune(self, keep: set[str]) -> None:
        if not self._layout.releases.is_dir():
            return
        for folder in self._layout.releases.iterdir():
            unused = folder.name not in keep and not folder.name.startswith(".")
            if unused and not self._unfinished.is_marked(folder.name):
                keep_written(self._layout, folder.name)
                gone = folder.with_name(f"{DRAFT}gone-{folder.name}")
                folder.rename(gone)  # at once, so that no half of a release has its name
                remove(gone)
                forget_made(self._layout, folder.name)
        self._blobs.tidy()


def _trouble(service: Service, error: OSError) -> BuildTrouble:
    place = f': "{error.filename}"' if error.filename else ""
    return BuildTrouble(f'cannot make a release of service "{service.name}": {error.strerror}{place}')


def _recipe(service: Service, build: Build) -> tuple[str, ...]:
    """What beside the tree makes the release. The environment counts only for a command that may read it."""
    if build.command is None:
        return ()
    settings = msgspec.json.encode((build.args, _visible(service)), order="sorted").decode()
    return build.command, settings


def _visible(service: Service) -> dict[str, str]:
    """The variables of the service that its build command sees."""
    names, values = service.build_env, service.environment
    return values if names is None else {name: values[name] for name in names if name in values}


def _protect(folder: Path) -> None:
    for top, _, files in os.walk(folder):
        for name in files:
            path = os.path.join(top, name)
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode & 0o555)


def _tell(service: Service, snapshot: Snapshot, progress: Progress) -> None:
    tree = snapshot.tree
    files = tree.files
    size = sum(entry.size for entry in files) / 1e6
    done = "new release" if snapshot.is_new else "release unchanged"
    count = "1 file" if len(files) == 1 else f"{len(files)} files"
    progress(f"{service.name}: {done} {snapshot.release}, {count}, {size:.1f} MB")
    if snapshot.is_new and tree.left_out:
        progress(f"{service.name}: left out: {_some(tree.left_out)}")
    if snapshot.is_new and snapshot.renewed:
        changed = _some(snapshot.renewed)
        progress(
            f"{service.name}: warning: was written to in an earlier release, is as in the directory again: {changed}"
        )
    if snapshot.changed:
        progress(f"{service.name}: changed after the plan, the release has them as planned: {_some(snapshot.changed)}")
    for path in tree.leaving:
        progress(f"{service.name}: warning: link {path} leads out of the release; what it leads to is not kept")


def _some(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
