"""What of a build directory does not become part of a release. Reads one ignore file; knows no other files."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pathspec

from midair.errors import BuildTrouble

_FILES = (".midairignore", ".dockerignore", ".gitignore")  # the first that exists counts, alone

# Never code of the service: history, what tools derive, and the Compose file itself, whose every change would
# otherwise look like a change of code.
_ALWAYS = (
    ".git", ".hg", ".svn", ".DS_Store", "__pycache__/", "*.py[co]",
    "/compose.yaml", "/compose.yml", "/compose.*.yaml", "/compose.*.yml",
    "/docker-compose.yaml", "/docker-compose.yml", "/docker-compose.*.yaml", "/docker-compose.*.yml",
    *(f"/{name}" for name in _FILES),
)  # fmt: skip


class Ignore(msgspec.Struct, frozen=True):
    """The rules for one build directory."""

    spec: pathspec.PathSpec[Any]
    own: pathspec.PathSpec[Any]  # midair's own part of it
    source: str  # the file most rules came from; "" without one
    may_skip_folders: bool  # nothing below an ignored folder can be wanted after all

    def matches(self, path: str, *, folder: bool) -> bool:
        """True when `path`, relative and with "/", is not to be part of a release."""
        return self.spec.match_file(path + "/" if folder else path)

    def is_expected(self, path: str, *, folder: bool) -> bool:
        """True when nobody has to be told that `path` is left out."""
        return self.own.match_file(path + "/" if folder else path)


def read_ignore(context: Path, more: tuple[str, ...] = ()) -> Ignore:
    """The rules that hold in `context`: midair's own, the ignore file's, then `build.ignore`."""
    for name in _FILES:
        try:
            lines = (context / name).read_text(errors="surrogateescape").splitlines()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise BuildTrouble(f'cannot read "{context / name}": {error.strerror}') from error
        return _ignore(lines, name, more)
    return _ignore([], "", more)


def _ignore(lines: list[str], source: str, more: tuple[str, ...]) -> Ignore:
    from_docker = source == ".dockerignore"
    rules = [*_ALWAYS, *(_from_docker(lines) if from_docker else lines), *more]
    exceptions = any(rule.startswith("!") for rule in rules)
    try:
        # In .dockerignore the last rule that matches wins, also for a file in an ignored folder.
        made = (
            pathspec.PathSpec.from_lines("gitignore", rules)
            if from_docker
            else pathspec.GitIgnoreSpec.from_lines(rules)
        )
    except ValueError as error:
        raise BuildTrouble(f'cannot read the rules of "{source}": {error}') from error
    own = pathspec.GitIgnoreSpec.from_lines(_ALWAYS)
    return Ignore(made, own, source, may_skip_folders=not (from_docker and exceptions))


def _from_docker(lines: list[str]) -> list[str]:
    """Rules of .dockerignore, which all start at the top, in the syntax of .gitignore."""
    rules = []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        wanted = "!" if text.startswith("!") else ""
        place = os.path.normpath(text.removeprefix("!").strip()).lstrip("/")
        if place not in ("", "."):
            rules.append(f"{wanted}/{place}")
    return rules
