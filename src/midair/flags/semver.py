"""Semantic versions as flagd compares them: a leading "v" is ignored, "1" and "1.2" mean "1.0.0" and "1.2.0"."""

from __future__ import annotations

import operator
import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# major, minor, patch, then how the pre-release orders: a release comes after all of its pre-releases.
Version = tuple["Any", ...]

NUMERIC = r"(?:0|[1-9][0-9]*)"
IDENTIFIER = rf"(?:{NUMERIC}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
SHAPE = re.compile(
    rf"({NUMERIC})\.({NUMERIC})\.({NUMERIC})"
    rf"(?:-({IDENTIFIER}(?:\.{IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


@lru_cache(maxsize=1024)
def version(text: str) -> Version | None:
    """Few different versions are in use at any time, so each is parsed once."""
    if text[:1] in ("v", "V"):
        text = text[1:]
    core = re.split("[-+]", text, maxsplit=1)[0]
    text = core + ".0" * max(0, 2 - core.count(".")) + text[len(core) :]
    match = SHAPE.fullmatch(text)
    if match is None:
        return None
    major, minor, patch, before = match.groups()
    return int(major), int(minor), int(patch), _precedence(before)


def _precedence(before: str | None) -> Version:
    if before is None:
        return (1,)
    parts = before.split(".")
    # Numbers come before words; of two that begin alike, the longer comes later.
    return (0, tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts))


def same_major(left: Version, right: Version) -> bool:
    return bool(left[0] == right[0])


def same_minor(left: Version, right: Version) -> bool:
    return left[:2] == right[:2]


COMPARISONS: dict[str, Callable[[Version, Version], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "^": same_major,
    "~": same_minor,
}
