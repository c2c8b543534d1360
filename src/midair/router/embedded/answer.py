"""Heads of answers: what follows them, and what the client is sent in their place. Pure: bytes in, values out."""

import re

import msgspec

from midair.router.embedded.head import TOKEN, VALUE

_SHAPE = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: " + VALUE + rb")?\r\n((?:" + TOKEN + rb":" + VALUE + rb"\r\n)*+)\r\n"
)
_SPECIAL = re.compile(
    rb"(?i)\n(connection|content-length|content-type|keep-alive|proxy-connection|transfer-encoding|upgrade)"
    rb":[ \t]*([^\r]*)\r"
)


class BadAnswer(Exception):
    """A replica said something that is not HTTP/1.1."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The parsed head of an answer."""

    status: int
    head: bytes  # for the client, up to its empty line, which is included
    length: int = -1  # of the body; -1: not given
    chunked: bool = False
    reusable: bool = True  # the connection to the replica goes on after it
    event_stream: bool = False
    upgrade: bytes = b""


class Memory(dict[bytes, Answer]):
    """Heads parsed before, by their bytes: a replica often repeats itself within one second."""

    entries_max = 2048
    bytes_max = 2048

    def parse(self, raw: bytes) -> Answer:
        """Parse a head that is not remembered yet, and remember it."""
        answer = parse_answer(raw)
        if len(raw) <= self.bytes_max:
            if len(self) >= self.entries_max:
                self.clear()
            self[raw] = answer
        return answer


def parse_answer(raw: bytes) -> Answer:
    """Parse from the status line to the empty line, both included."""
    shape = _SHAPE.fullmatch(raw)
    if shape is None:
        raise BadAnswer("the head of the answer is malformed")
    status = int(shape[2])
    length, chunked, options, stream, upgrade = -1, False, b"", False, b""
    cuts: list[tuple[int, int]] = []
    lengths: list[tuple[int, int]] = []
    for match in _SPECIAL.finditer(raw):
        name, value, span = match[1].lower(), match[2].rstrip(b" \t"), (match.start() + 1, match.end() + 1)
        if name == b"content-length":
            length = _length(value, length)
            lengths.append(span)
        elif name == b"transfer-encoding":
            chunked = _chunked(value, chunked)
        elif name == b"content-type":
            stream = value.lower().startswith(b"text/event-stream")
        else:
            cuts.append(span)
            if name == b"connection":
                options += b"," + value.lower()
            elif name == b"upgrade":
                upgrade = value
    if chunked:  # RFC 9112, 6.3: it overrides a length, which must not be passed on
        length, cuts = -1, sorted(cuts + lengths)
    elif len(lengths) > 1:
        cuts = sorted(cuts + lengths[1:])
    named = {option.strip(b" \t") for option in options.split(b",")}
    reusable = b"close" not in named and (shape[1] == b"1" or b"keep-alive" in named)
    head = _rewritten(raw, cuts, upgrade if status in (101, 426) else b"")
    return Answer(status, head, length, chunked, reusable, stream, upgrade)


def with_option(head: bytes, option: bytes) -> bytes:
    """The head with a Connection header."""
    return head[:-2] + b"Connection: " + option + b"\r\n\r\n"


def _length(value: bytes, before: int) -> int:
    if not value.isdigit() or len(value) > 18 or before not in (-1, int(value)):
        raise BadAnswer("the answer has a bad Content-Length")
    return int(value)


def _chunked(value: bytes, before: bool) -> bool:
    if before or value.lower() != b"chunked":
        raise BadAnswer("the answer has a bad Transfer-Encoding")
    return True


def _rewritten(raw: bytes, cuts: list[tuple[int, int]], upgrade: bytes) -> bytes:
    parts, position = [b"HTTP/1.1"], 8
    for start, end in cuts:
        parts.append(raw[position:start])
        position = end
    parts.append(raw[position:-2])
    if upgrade:
        parts.append(b"Connection: upgrade\r\nUpgrade: " + upgrade + b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
