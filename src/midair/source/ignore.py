"""Which files of a build folder do not count: for a release of the process runtime, and for a Docker build context."""

from typing import Any

import msgspec
import pathspec

from midair.source import dockerignore

OF_RELEASES = (".midairignore", ".dockerignore", ".gitignore")  # the first that exists counts, alone

# Never code of the service: history, what tools derive, and the Compose file itself, whose every change would
# otherwise look like a change of code.
_ALWAYS = (
    ".git", ".hg", ".svn", ".DS_Store", "__pycache__/", "*.py[co]",
    "/compose.yaml", "/compose.yml", "/compose.*.yaml", "/compose.*.yml",
    "/docker-compose.yaml", "/docker-compose.yml", "/docker-compose.*.yaml", "/docker-compose.*.yml",
    *(f"/{name}" for name in OF_RELEASES),
)  # fmt: skip


class Ignore(msgspec.Struct, frozen=True):
    """The rules for one build folder."""

    spec: pathspec.PathSpec[Any]
    own: pathspec.PathSpec[Any]  # midair's own part of it
    source: str = ""  # the file most rules came from; "" without one
    may_skip_folders: bool = True  # nothing below an ignored folder can be wanted after all

    def matches(self, path: str, *, folder: bool) -> bool:
        """True when `path`, relative and with "/", does not count."""
        return self.spec.match_file(path + "/" if folder else path)

    def is_expected(self, path: str, *, folder: bool) -> bool:
        """True when `path` is left out of every release, so that no line says so."""
        return self.own.match_file(path + "/" if folder else path)


def for_release(lines: list[str], source: str, more: tuple[str, ...] = ()) -> Ignore:
    """midair's own rules, those of the ignore file `source`, then `more` in git's syntax. Raises ValueError."""
    own = pathspec.GitIgnoreSpec.from_lines(_ALWAYS)
    if source == ".dockerignore":
        return _of_docker(lines, own, _ALWAYS, more, source)
    return Ignore(pathspec.GitIgnoreSpec.from_lines([*_ALWAYS, *lines, *more]), own, source)


def for_context(lines: list[str], more: tuple[str, ...] = ()) -> Ignore:
    """Docker's rules, then `more` in git's syntax. Raises ValueError for a pattern that Docker refuses, too."""
    return _of_docker(lines, pathspec.GitIgnoreSpec.from_lines(()), (), more, ".dockerignore")


def for_context_before(lines: list[str], more: tuple[str, ...] = ()) -> Ignore:
    """The rules of the first midair, by which it named images that still run: git's, also for `.dockerignore`."""
    spec = pathspec.GitIgnoreSpec.from_lines([*lines, *more])
    return Ignore(spec, spec, may_skip_folders=False)


def _of_docker(
    lines: list[str], own: pathspec.PathSpec[Any], before: tuple[str, ...], after: tuple[str, ...], source: str
) -> Ignore:
    rules = [*_of_git(before), *dockerignore.patterns(lines), *_of_git(after)]
    return Ignore(
        pathspec.PathSpec(rules), own, source, may_skip_folders=all(rule.include is not False for rule in rules)
    )


def _of_git(rules: tuple[str, ...]) -> list[Any]:
    return list(pathspec.PathSpec.from_lines("gitignore", rules).patterns)
