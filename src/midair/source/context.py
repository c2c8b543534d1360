"""What a Docker build reads: its context as Docker reads `.dockerignore`, its Dockerfile, and the ignore file."""

import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from midair.errors import BuildTrouble
from midair.model.project import Build
from midair.source import ignore
from midair.source.reader import Digests, changed_ns, digest_of, is_file, is_folder, read_context, read_lines, rules_of
from midair.source.tree import Entry, Tree, context_digest
from midair.spec.paths import is_remote

Made = TypeVar("Made")

_OWN = (".git",)
_FIRST = 3  # of a recipe: what the first midair passed on
_SAME_RESULT = ("cache_from", "cache_to", "no_cache", "no_cache_filter", "pull")
_ATTEMPTS = 5  # while files come and go


class Before(msgspec.Struct, frozen=True):
    """A context as the first midair read it: `.dockerignore` as git would, and without the Dockerfile if ignored."""

    digest: str
    changed_s: float  # when anything that it does not count, and a build reads, was last changed


class Contexts:
    """Reads the build contexts of one project."""

    def __init__(self, digests: Digests, outside: Path) -> None:
        self._digests = digests
        self._outside = outside  # midair's own folder, left out where it lies within a context

    def digest(self, build: Build) -> str:
        """The content id of everything that a build reads. Raises BuildTrouble that names what cannot be read."""
        return _steadily(build, lambda: self._digest(build))

    def before(self, build: Build) -> Before:
        """The content id of the same context as images are named that the first midair built."""
        return _steadily(build, lambda: self._before(build))

    def dockerfile(self, build: Build) -> str:
        """The text of the Dockerfile. Raises BuildTrouble when it cannot be read."""
        inline = build.settings.get("dockerfile_inline")
        path = Path(build.context) / (build.dockerfile or "Dockerfile")
        return str(inline) if inline else _steadily(build, lambda: path.read_text(errors="replace"))

    def _digest(self, build: Build) -> str:
        tree, beside = self._read(build)
        digests = {name: digest_of(path) for name, path in beside.items()}
        for name, place in (build.settings.get("additional_contexts") or {}).items():
            if not is_remote(place):
                digests[f"context {name}"] = self._further(Path(place))
        return context_digest(_recipe(build), tree, self._digests.read(tree), digests)

    def _further(self, root: Path) -> str:
        """The content id of another context of the same build."""
        path = root / ".dockerignore"
        rules = rules_of(lambda: ignore.for_context(read_lines(path) or [], _OWN), path)
        tree = read_context(root, rules, self._outside)
        return context_digest([], tree, self._digests.read(tree))

    def _before(self, build: Build) -> Before:
        root = Path(build.context)
        path = root / ".dockerignore"
        lines = read_lines(path) or []
        rules = rules_of(lambda: ignore.for_context_before(lines, (*build.ignore, *_OWN)), path)
        tree = read_context(root, rules, self._outside)
        tree = msgspec.structs.replace(tree, entries=tuple(entry for entry in tree.entries if entry.kind != "folder"))
        digests = {one.path: self._digests.of(tree, one) or digest_of(root / one.path) for one in tree.files}
        counted = {entry.path for entry in tree.entries}
        now, beside = self._read(build)
        changed = [_changed_ns(entry) for entry in _leaves(now) if entry.path not in counted]
        changed += [changed_ns(path) for path in beside.values()]
        return Before(context_digest(_recipe(build)[:_FIRST], tree, digests), max(changed, default=0) / 1e9)

    def _read(self, build: Build) -> tuple[Tree, dict[str, Path]]:
        """The context, and the files that count beside what is in it."""
        root = Path(build.context)
        dockerfile = root / (build.dockerfile or "Dockerfile")
        is_inline = bool(build.settings.get("dockerfile_inline"))
        own = [] if is_inline else [dockerfile.with_name(f"{dockerfile.name}.dockerignore")]  # comes first
        path = next((path for path in (*own, root / ".dockerignore") if is_file(path)), None)
        lines = (read_lines(path) if path is not None else None) or []
        rules = rules_of(lambda: ignore.for_context(lines, (*build.ignore, *_OWN)), path or root)
        tree = read_context(root, rules, self._outside)
        if not is_inline and not is_file(dockerfile):
            raise BuildTrouble(f'cannot read Dockerfile "{dockerfile}": no such file', hint="check build.dockerfile")
        counted = {str(root / entry.path) for entry in tree.files}
        files = ({} if is_inline else {"Dockerfile": dockerfile}) | ({"ignore file": path} if path is not None else {})
        return tree, {name: path for name, path in files.items() if posixpath.normpath(path) not in counted}


def _steadily(build: Build, read: Callable[[], Made]) -> Made:
    """What `read` returns, though files come and go meanwhile. Raises BuildTrouble."""
    where = f'cannot read build context "{build.context}"'
    for _ in range(_ATTEMPTS):
        try:
            return read()
        except FileNotFoundError as error:
            if not is_folder(Path(build.context)):
                raise BuildTrouble(f"{where}: no such folder", hint="check build.context") from error
        except OSError as error:
            raise BuildTrouble(f'{where}: {error.strerror}: "{error.filename}"') from error
    raise BuildTrouble(f"{where}: its files keep going away")


def _recipe(build: Build) -> list[Any]:
    """The settings of a build, as they are part of its digest."""
    settings = {name: value for name, value in build.settings.items() if name not in _SAME_RESULT}
    more = [settings, sorted(build.secrets)] if settings or build.secrets else []
    return [build.dockerfile, build.target, build.args, *more]


def _leaves(tree: Tree) -> list[Entry]:
    """Files, links, and folders without either."""
    parents = {entry.path.rpartition("/")[0] for entry in tree.entries}
    return [entry for entry in tree.entries if entry.kind != "folder" or entry.path not in parents]


def _changed_ns(entry: Entry) -> int:
    return max(entry.mtime_ns, entry.ctime_ns)
