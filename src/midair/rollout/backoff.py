"""How long to wait before the next try. Pure: what failed, and when, comes from the caller."""

from midair.model.moment import Span


def backoff(count: int, first_s: Span, limit_s: Span = 30.0) -> Span:
    """The wait after `count` failures in a row: doubles from `first_s` up to `limit_s`."""
    return min(limit_s, first_s * 2.0 ** min(count - 1, 16)) if count > 0 else 0.0
