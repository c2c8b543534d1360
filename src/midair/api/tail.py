"""Reads the end of a log file, and what is added to it."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Self

_BLOCK = 64 * 1024
_LINE_LIMIT = 64 * 1024  # a longer line is handed on in parts


_PARTS = 3  # of a log, older than the one that is written to
Line = tuple[str, int]  # and where the next one begins


class Tail:
    """One file that grows, and is truncated now and then."""

    def __init__(self, path: Path, at: int = 0) -> None:
        self._path = path
        self._at = at
        self._rest = b""
        self._inode: int | None = None

    @classmethod
    def of_last(cls, path: Path, lines: int) -> Self:
        """Beginning with the last so many lines."""
        return cls(path, _start_of_last(path, lines))

    @property
    def at(self) -> int:
        """Where the first line begins that was not read yet."""
        return self._at - len(self._rest)

    def read(self) -> list[Line]:
        """Complete lines that were added since the last call, so many at a time."""
        try:
            data = self._read_on()
        except OSError:
            return []
        at = self.at
        self._at += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = []
        for line in whole:
            at += len(line) + 1
            lines.append((line.decode(errors="replace").rstrip("\r"), at))
        if len(self._rest) > _LINE_LIMIT:
            lines.append((self._rest.decode(errors="replace"), self._at))
            self._rest = b""
        return lines

    def _read_on(self) -> bytes:
        """What comes next: in the log, or in the part of it that was turned over since, and then in the newer ones."""
        paths = [self._path, *(self._path.with_name(f"{self._path.name}.{number}") for number in range(1, _PARTS + 1))]
        newer: Path | None = None
        for path in paths if self._inode is not None else ():
            with suppress(FileNotFoundError), path.open("rb") as file:
                if os.fstat(file.fileno()).st_ino == self._inode:
                    data = self._read(file)
                    if data or newer is None:
                        return data
                    self._at = 0
                    return self._begin(newer)
                newer = path
        if self._inode is not None:
            self._at, self._rest = 0, b""
        return self._begin(self._path)

    def _begin(self, path: Path) -> bytes:
        with path.open("rb") as file:
            self._inode = os.fstat(file.fileno()).st_ino
            return self._read(file)

    def _read(self, file: BinaryIO) -> bytes:
        if os.fstat(file.fileno()).st_size < self._at:
            self._at, self._rest = 0, b""  # the log was truncated
        file.seek(self._at)
        return file.read(16 * _BLOCK)

    def finish(self) -> list[Line]:
        """What is left at the end when nobody follows: a last line without its line feed."""
        rest, self._rest = self._rest, b""
        return [(rest.decode(errors="replace"), self._at)] if rest else []


def _start_of_last(path: Path, lines: int) -> int:
    """Where the last `lines` lines begin."""
    try:
        with path.open("rb") as file:
            at = file.seek(0, os.SEEK_END)
            if lines == 0:
                return at
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
