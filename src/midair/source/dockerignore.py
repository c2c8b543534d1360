"""`.dockerignore` as Docker reads it: Go's filepath.Match with `**`, from the top of the context, the last match wins.

A pattern that matches a folder holds for everything below it. Source: moby/patternmatcher and its `ignorefile`.
"""

import posixpath
import re
from collections.abc import Iterable

from pathspec import RegexPattern

_BOM = "\ufeff"
_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]")


def patterns(lines: Iterable[str]) -> list[RegexPattern]:
    """The rules of a file, in order. Raises ValueError for a pattern that Docker refuses, too."""
    found = []
    for number, line in enumerate(lines):
        line = line.removeprefix(_BOM) if number == 0 else line
        text = "" if line.startswith("#") else line.strip()
        if not text:
            continue
        is_exception = text.startswith("!")
        place = text.removeprefix("!").strip()
        if not place:
            raise ValueError('"!" without a pattern')
        place = posixpath.normpath(place).lstrip("/")
        if place != ".":
            found.append(RegexPattern(expression(place), include=not is_exception))
    return found


def expression(pattern: str) -> "re.Pattern[str]":
    """A clean pattern as a regular expression for paths, and for what lies below a folder that matches."""
    made, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if pattern.startswith("**", at - 1):
            at += 1
            at += pattern.startswith("/", at)
            made += ".*" if at >= len(pattern) else "(?:.*/)?"
        elif char == "*":
            made += "[^/]*"
        elif char == "?":
            made += "[^/]"
        elif char == "[":
            part, at = _class(pattern, at - 1)
            made += part
        elif char == "\\" and at == len(pattern):
            raise ValueError(f'syntax error in pattern "{pattern}"')
        elif char == "\\":
            made += re.escape(pattern[at])
            at += 1
        else:
            made += re.escape(char)
    try:
        return re.compile(rf"\A(?s:{made})(?:/(?s:.*))?\Z")
    except re.error as error:  # a range that ends before it begins
        raise ValueError(f'syntax error in pattern "{pattern}"') from error


def _class(pattern: str, at: int) -> tuple[str, int]:
    """The character class that begins at `at`, and where it ends."""
    found = _CLASS.match(pattern, at)
    if found is None:
        raise ValueError(f'syntax error in pattern "{pattern}"')
    inside = "".join(
        text if text == "-" and 0 < place < len(found[2]) - 1 else re.escape(text.removeprefix("\\"))
        for place, text in ((piece.start(), piece[0]) for piece in re.finditer(r"\\.|.", found[2]))
    )
    return f"[{found[1]}{inside}]", found.end()
