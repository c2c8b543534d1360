"""Where a chunked body ends. Pure: it is shown the bytes as they pass and changes none of them."""

import re

from midair.router.embedded.head import TOKEN, VALUE

_SIZE_STRICT = re.compile(rb"([0-9a-fA-F]{1,15})(?:;" + VALUE + rb")?\r\n")
_SIZE_PADDED = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;" + VALUE + rb")?\r\n")  # some servers pad with spaces
_TRAILER = re.compile(rb"(?:(" + TOKEN + rb"):" + VALUE + rb")?\r\n")
_LINE_MAX_BYTES = 4096
_TRAILERS_MAX_BYTES = 16384
# RFC 9110, 6.5.1: what frames, routes, authenticates or modifies a request, or says how to read its content.
_NO_TRAILER = frozenset((
    b"age", b"authorization", b"cache-control", b"connection", b"content-disposition", b"content-encoding",
    b"content-language", b"content-length", b"content-location", b"content-range", b"content-type", b"cookie", b"date",
    b"expect", b"expires", b"forwarded", b"front-end-https", b"host", b"http2-settings", b"keep-alive", b"location",
    b"max-forwards", b"origin", b"pragma", b"proxy", b"range", b"referer", b"retry-after", b"set-cookie", b"te",
    b"trailer", b"transfer-encoding", b"true-client-ip", b"upgrade", b"user-agent", b"vary", b"via", b"warning",
    b"www-authenticate",
))  # fmt: skip
_NO_TRAILERS = (
    b"accept",
    b"cf-",
    b"if-",
    b"proxy-",
    b"sec-",
    b"x-client-",
    b"x-cluster-",
    b"x-forwarded",
    b"x-http-",
    b"x-method-",
    b"x-original-",
    b"x-real-",
    b"x-request-id",
    b"x-rewrite-",
)  # beginnings of names

_SIZE, _DATA, _DATA_END, _TRAILERS = range(4)


class BadChunk(Exception):
    """Bytes that are not a chunked body."""


class Chunks:
    """Follows one chunked body."""

    __slots__ = ("_left", "_line", "_pattern", "_phase", "_trailers", "payload", "strict")

    def __init__(self, strict: bool, *, unpack: bool = False) -> None:
        self.strict = strict  # a client's: refuse all that another parser might read differently
        self.payload: list[bytes] | None = [] if unpack else None  # what was in the chunks
        self._pattern = _SIZE_STRICT if strict else _SIZE_PADDED
        self._phase = _SIZE
        self._left = 0
        self._line = b""  # the beginning of a line whose end has not come yet
        self._trailers = 0

    @property
    def between_chunks(self) -> bool:
        """True when all that has passed is whole chunks."""
        return self._phase == _SIZE and not self._line

    def feed(self, data: bytes) -> int:
        """Where the body ends in `data`, or -1 when it goes on after it."""
        position, size = 0, len(data)
        while position < size:
            if self._phase == _DATA:
                taken = min(self._left, size - position)
                if self.payload is not None:
                    self.payload.append(data[position : position + taken])
                self._left -= taken
                position += taken
                if not self._left:
                    self._phase = _DATA_END
                continue
            end = data.find(b"\n", position) + 1
            if not end:
                self._keep(data[position:])
                return -1
            line = self._line + data[position:end]
            self._line = b""
            position = end
            if self._take(line):
                return position
        return -1

    def unpacked(self, data: bytes) -> bytes:
        """What to pass on of bytes that were fed: themselves, or what was in the chunks."""
        if self.payload is None:
            return data
        payload = b"".join(self.payload)
        self.payload.clear()
        return payload

    def _keep(self, part: bytes) -> None:
        self._line += part
        if len(self._line) > (2 if self._phase == _DATA_END else _LINE_MAX_BYTES):
            raise BadChunk("a chunk has a line without an end")

    def _take(self, line: bytes) -> bool:
        """Take a whole line. True when it ends the body."""
        if self._phase == _SIZE:
            match = self._pattern.fullmatch(line)
            if match is None or len(line) > _LINE_MAX_BYTES:
                raise BadChunk("a chunk size is malformed")
            self._left = int(match[1], 16)
            self._phase = _DATA if self._left else _TRAILERS
            return False
        if self._phase == _DATA_END:
            if line != b"\r\n":
                raise BadChunk("a chunk is longer than its size")
            self._phase = _SIZE
            return False
        trailer = _TRAILER.fullmatch(line)
        self._trailers += len(line)
        if trailer is None or self._trailers > _TRAILERS_MAX_BYTES:
            raise BadChunk("a trailer is malformed")
        if self.strict and trailer[1] and _is_for_heads(trailer[1].lower().replace(b"_", b"-")):
            raise BadChunk("a trailer has a name that only a header may have")
        return line == b"\r\n"


def _is_for_heads(name: bytes) -> bool:
    return name in _NO_TRAILER or name.startswith(_NO_TRAILERS)
