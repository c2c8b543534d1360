"""The two-way stream of a command: frames, in the bodies of one request and of its answer, which flow together.

A frame is one byte of kind, four of length (big endian), and so many of data. The first of the request is ASK. Of INPUT
a client sends at most WINDOW bytes more than TAKEN has acknowledged: so it is never the daemon that stops reading, and
a signal, a size or a client's end is noticed also while the command takes no input.
"""

import struct
from enum import IntEnum

import msgspec

MEDIA_TYPE = "application/vnd.midair.frames"
WINDOW = 256 * 1024  # bytes
LIMIT = 4 * 1024 * 1024  # bytes of one frame
_HEAD = struct.Struct(">BI")


class Kind(IntEnum):
    """What the data of a frame is."""

    ASK = 0  # → an AskCommand
    INPUT = 1  # → bytes
    INPUT_END = 2  # → nothing
    SIZE = 3  # → a Size
    SIGNAL = 4  # → its name
    OUTPUT = 5  # ← bytes of standard output, or of the terminal
    ERROR_OUTPUT = 6  # ← bytes of standard error
    TAKEN = 7  # ← how many bytes of input were handed over since the last such frame, as a decimal number
    ENDED = 8  # ← the exit code, as a decimal number; the last frame
    TROUBLE = 9  # ← an ErrorAnswer; the last frame


class Size(msgspec.Struct, frozen=True):
    """Of a terminal."""

    rows: int
    columns: int


class BadFrame(ValueError):
    """Bytes that are no frames."""


def frame(kind: Kind, data: bytes = b"") -> bytes:
    """One frame."""
    return _HEAD.pack(kind, len(data)) + data


class Frames:
    """Takes bytes in, and gives whole frames out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[Kind, bytes]]:
        """The frames that are whole now. Raises BadFrame."""
        data = self._rest + data if self._rest else data
        frames, at = [], 0
        while len(data) - at >= _HEAD.size:
            number, length = _HEAD.unpack_from(data, at)
            if number > Kind.TROUBLE or length > LIMIT:
                raise BadFrame(f"no frame begins with {number} and {length}")
            end = at + _HEAD.size + length
            if len(data) < end:
                break
            frames.append((Kind(number), data[at + _HEAD.size : end]))
            at = end
        self._rest = data[at:]
        return frames
