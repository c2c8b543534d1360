"""Moments and spans of time as plain numbers. Nothing here reads a clock.

A moment is seconds since 1970 on midair's own clock, which follows the wall clock but never goes back
(the engine sees to that); a span is seconds. Spans are written as Compose writes durations: "1m30s", "500ms".
"""

import re

Moment = float  # seconds since 1970, never going back
Span = float  # seconds

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|h|m|s)")


def parse_span(text: str) -> Span:
    """Seconds from a Compose duration such as "1m30s".

    Raises ValueError when the text is no duration (Compose Specification, "Specifying durations").
    """
    position, total = 0, 0.0
    for part in _PART.finditer(text):
        if part.start() != position:
            break
        total += float(part[1]) * _UNITS[part[2]]
        position = part.end()
    if position == 0 or position != len(text):
        raise ValueError(f'should be a duration such as "30s" or "1m30s", got "{text}"')
    return total


def format_span(seconds: Span) -> str:
    """A span for people: 0.4s, 12.3s, 2m05s, 3h04m."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
