"""What a command says: the last of it is kept, and each line can be handed on as it comes.

It comes by a pipe: with a file, a full disk would make every command fail that prints, also a check of a replica that
is well.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Self

_TAIL = 4096  # bytes that are kept
_CHUNK = 65536
_CHUNKS = 16  # at the end: a pipe holds a megabyte at most, and somebody may still be writing


class Output:
    """Both ends of a pipe. The command's end stays open here as well, so reading never comes to an end by itself."""

    def __init__(self, line: Callable[[str], None] | None = None) -> None:
        self._line = line
        self._last = b""
        self._partial = b""
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        asyncio.get_running_loop().add_reader(self._reader, self._look)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Read what has come by now, and hang up."""
        for _number in range(_CHUNKS):
            if not self._look():
                break
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)
        os.close(self.writer)
        if self._partial:
            self._tell(self._partial)

    @property
    def tail(self) -> str:
        """The last of all that was said."""
        return self._last.decode(errors="replace").strip()

    def _look(self) -> bool:
        try:
            chunk = os.read(self._reader, _CHUNK)
        except BlockingIOError:
            return False
        self._last = (self._last + chunk)[-_TAIL:]
        if self._line is not None:
            *whole, self._partial = (self._partial + chunk).split(b"\n")
            for text in whole:
                self._tell(text)
        return True

    def _tell(self, text: bytes) -> None:
        if self._line is not None:
            self._line(text.decode(errors="replace").rstrip("\r"))
