"""Reads the end of a log file, and what is added to it."""

import os
from pathlib import Path

_BLOCK = 64 * 1024
_LINE_LIMIT = 64 * 1024  # a longer line is handed on in parts


class Tail:
    """One file that grows, and is truncated now and then."""

    def __init__(self, path: Path, lines: int | None) -> None:
        self._path = path
        self._at = 0 if lines is None else _start_of_last(path, lines)
        self._rest = b""

    def read(self) -> list[str]:
        """Complete lines that were added since the last call, so many at a time."""
        try:
            with self._path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < self._at:
                    self._at, self._rest = 0, b""  # the log was turned over
                file.seek(self._at)
                data = file.read(16 * _BLOCK)
        except OSError:
            return []
        self._at += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LINE_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def finish(self) -> list[str]:
        """What is left at the end when nobody follows: a last line without its line feed."""
        rest, self._rest = self._rest, b""
        return [rest.decode(errors="replace")] if rest else []


def _start_of_last(path: Path, lines: int) -> int:
    """Where the last `lines` lines begin."""
    try:
        with path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            ends_open = at > 0 and _last_byte(file.fileno(), at) != b"\n"
            wanted = lines if ends_open else lines + 1
            while at > 0:
                block = os.pread(file.fileno(), min(_BLOCK, at), max(at - _BLOCK, 0))
                at -= len(block)
                found = block.count(b"\n")
                if found >= wanted:
                    return at + _after_nth_last(block, wanted)
                wanted -= found
    except OSError:
        pass
    return 0


def _last_byte(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 1, size - 1)


def _after_nth_last(block: bytes, number: int) -> int:
    at = len(block)
    for _ in range(number):
        at = block.rindex(b"\n", 0, at)
    return at + 1
