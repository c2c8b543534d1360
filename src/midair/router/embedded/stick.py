"""Who a request is from, for routes that stick to users. Pure."""

import re
from functools import lru_cache


def user_of(stick_by: str, head: bytes) -> bytes | None:
    """The value that `stick_by` ("header:NAME" or "cookie:NAME") names in a request head, or None."""
    match = _pattern(stick_by).search(head[: head.find(b"\r\n\r\n") + 2])
    return match[1] if match else None


@lru_cache(maxsize=64)
def _pattern(stick_by: str) -> re.Pattern[bytes]:
    kind, _, name = stick_by.partition(":")
    if kind == "cookie":
        return re.compile(rb"(?i:\ncookie:)(?:[^\r]*;)?[ \t]*" + re.escape(name.encode()) + rb"=([^;\r]+)")
    return re.compile(rb"(?i:\n" + re.escape(name.encode()) + rb"):[ \t]*([^\r]+?)[ \t]*\r")
