"""What bytes were parsed to, kept for when the same bytes come again, which they soon do."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
ENTRIES_MAX = 2048


class Remembered(dict[bytes, T]):
    """A parser with a memory: `known[raw]`. Bytes longer than `bytes_max` are parsed and not kept.

    Forgets everything when full, which is rare and cheap. What the parser raises is passed on and not kept.
    """

    def __init__(self, parse: Callable[[bytes], T], bytes_max: int) -> None:
        super().__init__()
        self._parse = parse
        self._bytes_max = bytes_max

    def __missing__(self, raw: bytes) -> T:
        parsed = self._parse(raw)
        if len(raw) <= self._bytes_max:
            if len(self) >= ENTRIES_MAX:
                self.clear()
            self[raw] = parsed
        return parsed
