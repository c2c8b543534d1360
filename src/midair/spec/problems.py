"""Collects what is wrong, so that it is all told at once."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from midair.errors import FileRefused, Problem
from midair.spec.node import Mark, Node

LIMIT = 100  # nobody reads more


class Problems:
    """Problems found so far. One that follows from another one is not told."""

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._paths: set[str] = set()

    def add(self, path: str, message: str, at: Node | Mark | None) -> None:
        """Note a problem, unless there is one at the same path or above it."""
        if path and any(parent in self._paths for parent in parents(path)):
            return
        mark = at.mark if isinstance(at, Node) else at
        self._paths.add(path)
        place = {"file": mark.file, "line": mark.line, "column": mark.column} if mark else {}
        self._found.append(Problem(path, message, **place))  # type: ignore[arg-type]

    def covers(self, path: str) -> bool:
        """True when something at the path or above it is wrong already."""
        return any(parent in self._paths for parent in parents(path))

    def covers_below(self, path: str) -> bool:
        """True when something below the path is wrong already."""
        return any(known.startswith((f"{path}.", f"{path}[")) for known in self._paths)

    @property
    def found(self) -> tuple[Problem, ...]:
        """In the order of files and lines."""
        files = list(dict.fromkeys(problem.file for problem in self._found))
        ordered = sorted(self._found, key=lambda each: (files.index(each.file), each.line, each.column, each.path))
        if len(ordered) <= LIMIT:
            return tuple(ordered)
        return (*ordered[:LIMIT], Problem("", f"and {len(ordered) - LIMIT} more problems"))

    def refuse(self, hint: str | None = None) -> None:
        """Raise FileRefused if there is anything wrong."""
        if self._found:
            raise FileRefused(self.found, hint=hint)


def parents(path: str) -> Iterable[str]:
    """The path and every path above it."""
    yield path
    for index in range(len(path) - 1, 0, -1):
        if path[index] in ".[":
            yield path[:index]


def join(path: str, key: str | int) -> str:
    """The path of an entry or an item."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def got(value: Any) -> str:
    """How a wrong value is shown: text in quotes, the rest as written in YAML."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    shown = text if len(text) <= 60 else text[:57] + "..."
    shown = shown.encode("unicode_escape").decode() if not shown.isprintable() else shown
    return f'"{shown}"' if isinstance(value, str) else shown


def did_you_mean(word: str, known: Iterable[str], most: int = 3) -> str:
    """', did you mean "x"?' or nothing."""
    candidates = list(known)
    lowered = {candidate.lower(): candidate for candidate in reversed(candidates)}
    cutoff = 0.5 if len(word) < 4 else 0.65
    close = [lowered[each] for each in get_close_matches(word.lower()[:200], lowered, n=1, cutoff=cutoff)]
    if close:
        return f', did you mean "{close[0]}"?'
    return f" (known: {', '.join(map(got, candidates))})" if 0 < len(candidates) <= most else ""


def one_of(choices: Sequence[str]) -> str:
    """'"a", "b" or "c"'."""
    quoted = [f'"{choice}"' for choice in choices]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
