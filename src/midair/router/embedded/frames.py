"""Where WebSocket frames begin and end (RFC 6455, 5.2). Pure: it is shown the bytes as they pass."""

import struct

CLOSE = 8


class Frames:
    """Follows the frames of one direction, so that a frame of ours is never put inside another."""

    __slots__ = ("_head", "_left", "closed")

    def __init__(self) -> None:
        self._head = b""  # the beginning of a frame's head
        self._left = 0  # bytes of the present frame's payload to come
        self.closed = False  # a close frame has passed

    @property
    def between(self) -> bool:
        """True when all that has passed is whole frames."""
        return not self._left and not self._head

    def feed(self, data: bytes) -> int:
        """Take what passes. Returns where the last whole frame ends in it, 0 when none does."""
        position, size, boundary = 0, len(data), 0
        while position < size:
            if self._left:
                taken = min(self._left, size - position)
                self._left -= taken
                position += taken
            else:
                position = self._take_head(data, position)
            if self.between:
                boundary = position
        return boundary

    def _take_head(self, data: bytes, position: int) -> int:
        known = len(self._head)
        head = self._head + data[position : position + 14 - known]
        wanted = _head_size(head)
        if len(head) < wanted:
            self._head = head
            return position + len(head) - known
        self._head = b""
        self._left = _payload_size(head)
        if head[0] & 15 == CLOSE:
            self.closed = True
        return position + wanted - known


def _head_size(head: bytes) -> int:
    if len(head) < 2:
        return 2
    extended = {126: 2, 127: 8}.get(head[1] & 127, 0)
    return 2 + extended + (4 if head[1] & 128 else 0)


def _payload_size(head: bytes) -> int:
    size = head[1] & 127
    if size == 126:
        return int(struct.unpack_from("!H", head, 2)[0])
    if size == 127:
        return int(struct.unpack_from("!Q", head, 2)[0])
    return size


def close_frame(code: int, reason: str, *, masked: bool) -> bytes:
    """A close frame; a client's must be masked, and a mask of zeroes is one."""
    payload = struct.pack("!H", code) + reason.encode()[:100]
    return bytes((0x80 | CLOSE, len(payload) | (128 if masked else 0))) + (b"\0\0\0\0" if masked else b"") + payload
