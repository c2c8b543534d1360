"""Moments and spans as people read them."""

import time

from midair.model.moment import Moment, format_span


def span(seconds: float) -> str:
    """3s, 12s, 2m05s, 3h04m, 5d: no tenths, for things that last."""
    if seconds < 60:
        return f"{max(seconds, 0):.0f}s"
    if seconds < 48 * 3600:
        return format_span(seconds)
    return f"{seconds / 86400:.0f}d"


def stamp(moment: Moment) -> str:
    """Local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
