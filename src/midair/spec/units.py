"""Durations, byte sizes and numbers as Compose writes them. Each reader raises ValueError with what would be right."""

import re
from decimal import Decimal
from typing import Any

from midair.spec.problems import got

_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w)")
_NANOSECONDS = {
    "ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9,
    "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9, "w": 7 * 86400 * 10**9,
}  # fmt: skip
# As Go reads floats: ".5", "1." and "1_000".
_BYTES = re.compile(r"([-+]?(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)) ?([kmgtp])?i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_NUMERIC = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
_MOST = 2**63 - 1


def nanoseconds(value: Any) -> int:
    """A duration such as "1m30s"."""
    wanted = f'should be a duration such as "30s" or "1m30s", got {got(value)}'
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError(wanted)
    text = value.removeprefix("+")
    if text == "0":
        return 0
    position, total = 0, Decimal(0)
    for part in _DURATION_PART.finditer(text):
        if part.start() != position:
            break
        total += Decimal(part[1]) * _NANOSECONDS[part[2]]
        position = part.end()
    if position == 0 or position != len(text) or total > _MOST:
        raise ValueError(wanted)
    return int(total)


def seconds(text: str) -> float:
    """A duration that was read before, in seconds."""
    return nanoseconds(text) / 1e9


def duration_text(total: int) -> str:
    """A duration as Go writes it: 1m30s, 1h0m0s, 1.5s, 250ms."""
    if total == 0:
        return "0s"
    for unit in ("ns", "µs", "ms"):
        if total < _NANOSECONDS[unit] * 1000:
            return f"{_trimmed(Decimal(total) / _NANOSECONDS[unit])}{unit}"
    minutes, rest = divmod(total, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    tail = f"{_trimmed(Decimal(rest) / 10**9)}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail


def _trimmed(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def byte_count(value: Any) -> int:
    """A size such as "512m" or "1.5GB", in powers of 1024."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MOST and not 0 < value < 1:
        return int(value)
    match = _BYTES.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= 40 else None
    if match:
        count = int(Decimal(match[1]) * 1024 ** _POWERS[(match[2] or "").lower()])
        if abs(count) <= _MOST:
            return count
    raise ValueError(f'should be a size such as "512m" or "2g", got {got(value)}')


def number(value: Any) -> float | int:
    """A number, also written as text."""
    if isinstance(value, str) and len(value) <= 40 and _NUMERIC.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        raise ValueError(f"should be a number, got {got(value)}")
    return int(value) if value == int(value) else value


def whole_number(value: Any) -> int:
    """A whole number, also written as text."""
    try:
        found = number(value)
    except ValueError:
        found = 0.5
    if not isinstance(found, int):
        raise ValueError(f"should be a whole number, got {got(value)}")
    return found


def flag(value: Any) -> bool:
    """True or false, also written as text."""
    words = {"true": True, "yes": True, "y": True, "on": True, "1": True, "t": True,
             "false": False, "no": False, "n": False, "off": False, "0": False, "f": False}  # fmt: skip
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise ValueError(f"should be true or false, got {got(value)}")


def file_mode(value: Any) -> str:
    """Permissions of a file, as octal digits: 0440."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o7777:
        return f"0{value:o}"
    if isinstance(value, str) and re.fullmatch(r"(0o?)?[0-7]{1,4}", value):
        return f"0{int(value.removeprefix('0o'), 8):o}"
    raise ValueError(f"should be octal permissions such as 0440, got {got(value)}")
