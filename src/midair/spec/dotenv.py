"""The syntax of `.env` and `env_file`: NAME=value lines with quotes, comments, `export` and variables."""

import re
from collections.abc import Callable

from midair.spec.interpolate import BadTemplate, Lookup, substitute
from midair.spec.problems import got

_NAME = re.compile(r"[^\S\n]*(?:export[^\S\n]+)?([A-Za-z0-9_.\-\[\]]+)[^\S\n]*(=|:|(?=\n)|\Z)[^\S\n]*")
_BLANK = re.compile(r"(?:\s+|#[^\n]*)*")
_COMMENT = re.compile(r"(?:^|(?<=\s))#[^\n]*")
_REST = re.compile(r"[^\S\n]*(?:#[^\n]*)?(?:\n|\Z)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r'\\([nrt"\\])')


class BadLine(Exception):
    """A line that says no variable."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line, self.message = line, message


def parse_dotenv(text: str, lookup: Lookup = lambda name: None) -> dict[str, str]:
    """The variables of a file. Values may use those of `lookup` and those above them. Raises BadLine."""
    return {name: value for name, value in parse_names(text, lookup).items() if value is not None}


def parse_names(text: str, lookup: Lookup = lambda name: None) -> dict[str, str | None]:
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
            found[name[1]], position = _read_value(text, name.end(), known, line)
        position = _skip(text, position)
    return found


def _say(line: str) -> str:
    name, equals, _ = line.partition("=")  # what follows may be a secret
    return f"should be NAME=value, got {got(name[:40])} before the =" if equals else "should be NAME=value, got no ="


def _skip(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _read_value(text: str, start: int, known: Callable[[str], str | None], line: int) -> tuple[str, int]:
    quote = text[start : start + 1]
    if quote not in ("'", '"') or not quote:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        raw = _COMMENT.sub("", text[start:end], count=1).rstrip()
        return _expand(raw, known, line), end
    end = start + 1
    while end < len(text) and text[end] != quote:
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise BadLine(line, f"the quote {quote} is never closed")
    raw = text[start + 1 : end]
    rest = _REST.match(text, end + 1)
    if rest is None:
        raise BadLine(line, f"unexpected text after the closing quote {quote}")
    if quote == "'":
        return raw.replace("\\'", "'"), end + 1
    # A backslash keeps a dollar sign as it is; this has to be known before variables are replaced.
    guarded = raw.replace("\\$", "$$")
    return _expand(_ESCAPE.sub(lambda match: _ESCAPES[match[1]], guarded), known, line), end + 1


def _expand(raw: str, known: Callable[[str], str | None], line: int) -> str:
    try:
        return substitute(raw, known, lambda name: None)
    except BadTemplate as error:
        raise BadLine(line, str(error)) from None
