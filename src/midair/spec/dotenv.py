"""The syntax of `.env` and `env_file`: NAME=value lines with quotes, comments, `export` and variables."""

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from midair.spec.interpolate import BadTemplate, Lookup, substitute
from midair.spec.problems import got

_NAME = re.compile(r"[^\S\n]*(?:export[^\S\n]+)?([\w.\-\[\]]+)[^\S\n]*(=|:|(?=\n)|\Z)[^\S\n]*")
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r'\\([abfnrtv"\\])')


class BadLine(Exception):
    """A line that says no variable."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


# Called with a name and its line, for a value that uses a variable without a value.
Missing = Callable[[str, int], None]


def unset_in(file: str, name: str, line: int) -> str:
    """The warning about such a value. It leaves the variable out: that may be a part of a password."""
    return f'{file}:{line}: a "$" in {name} begins a variable that is not set; quote the value with \' to keep it'


def parse_dotenv(
    text: str, lookup: Lookup = lambda name: None, missing: Missing = lambda name, line: None
) -> dict[str, str]:
    """The variables of a file. Values may use those of `lookup` and those above them. Raises BadLine."""
    return {name: value for name, value in parse_names(text, lookup, missing).items() if value is not None}


def parse_names(
    text: str, lookup: Lookup = lambda name: None, missing: Missing = lambda name, line: None
) -> dict[str, str | None]:
    """As `parse_dotenv`; a name without "=" takes the value of `lookup`, None when that has none."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str | None] = {}

    def known(name: str) -> str | None:
        value = lookup(name)
        return value if value is not None else found.get(name)

    position = _skip(text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        name = _NAME.match(text, position)
        if name is None:
            raise BadLine(line, _say(text[position:].split("\n", 1)[0]))
        if not name[2]:
            found[name[1]] = lookup(name[1])
            position = name.end()
        else:
            expand = _Expander(known, partial(missing, name[1], line), line)
            found[name[1]], position = _read_value(text, name.end(), expand, line)
        position = _skip(text, position)
    return found


def _say(line: str) -> str:
    name, equals, _ = line.partition("=")  # what follows may be a secret
    return f"should be NAME=value, got {got(name[:40])} before the =" if equals else "should be NAME=value, got no ="


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _read_value(text: str, start: int, expand: "_Expander", line: int) -> tuple[str, int]:
    quote = text[start : start + 1]
    if quote not in ("'", '"') or not quote:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        # Only a space before it makes a comment of "#": a colour or a password may begin with it.
        raw = text[start:end].partition(" #")[0].rstrip()
        return expand(raw), end
    end = start + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise BadLine(line, f"the quote {quote} is never closed")
    raw = text[start + 1 : end]
    if quote == "'":
        return raw.replace("\\'", "'"), end + 1
    # A backslash keeps a dollar sign as it is; this has to be known before variables are replaced.
    guarded = raw.replace("\\$", "$$")
    return expand(_ESCAPE.sub(lambda match: _ESCAPES[match[1]], guarded)), end + 1


class _Expander(NamedTuple):
    known: Lookup
    missing: Callable[[], None]
    line: int

    def __call__(self, raw: str) -> str:
        try:
            return substitute(raw, self.known, lambda name: self.missing())
        except BadTemplate as error:
            raise BadLine(self.line, str(error)) from None
