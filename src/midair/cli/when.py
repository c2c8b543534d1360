"""Moments and spans as people read them."""

import time
from datetime import UTC, datetime

from midair.errors import UsageRefused
from midair.model.moment import Moment, format_span, parse_span


def span(seconds: float) -> str:
    """3s, 12s, 2m05s, 3h04m, 5d: no tenths, for things that last."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f}s"
    if seconds < 48 * 3600:
        return format_span(seconds)
    return f"{seconds / 86400:.0f}d"


def since(text: str) -> Moment:
    """The moment of an option: a duration before now, or a time (local unless it says where). Raises UsageRefused."""
    try:
        return time.time() - parse_span(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageRefused(
            f'cannot use --since "{text}": should be a duration such as 10m, or a time such as 2027-01-15T08:00:00Z'
        ) from None


def exact(moment: Moment | None) -> str:
    """RFC 3339 in UTC, to the microsecond; as many blanks when it is unknown."""
    text = "" if moment is None else f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return f"{text:27}"


def stamp(moment: Moment) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
