"""Heads of answers: what follows them, and what the client is sent in their place. Pure: bytes in, values out."""

import re

import msgspec

from midair.router.embedded.head import TOKEN, VALUE
from midair.router.embedded.remembered import Remembered

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: " + VALUE + rb")?")
_LINE = re.compile(rb"(" + TOKEN + rb"):(" + VALUE + rb")")
_SPECIAL = frozenset(
    (b"connection", b"content-length", b"content-type", b"keep-alive", b"proxy-connection", b"transfer-encoding",
     b"upgrade"),
)  # fmt: skip
Field = tuple[bytes, bytes]  # name in lower case, and value
Lines = Remembered[Field | None]


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


def parse_line(line: bytes) -> Field | None:
    """One header."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadAnswer("the head of the answer is malformed")
    name = match[1].lower()
    value = match[2].strip(b" \t")
    if name not in _SPECIAL or (name == b"content-type" and not value.lower().startswith(b"text/event-stream")):
        return None
    return name, value


def known_lines() -> Lines:
    """Header lines seen before: fields that matter to the router, None for those that are passed on unread."""
    return Remembered(parse_line, bytes_max=512)


def known_answers() -> Remembered[Answer]:
    """Heads seen before; for those that are new, the lines they consist of, which seldom are."""
    lines = known_lines()
    return Remembered(lambda raw: parse_answer(raw, lines), bytes_max=2048)


def parse_answer(raw: bytes, known: Lines) -> Answer:
    """Parse from the status line to the empty line, both included."""
    lines = raw.split(b"\r\n")
    status_line = _STATUS_LINE.fullmatch(lines[0])
    if status_line is None:
        raise BadAnswer("the head of the answer is malformed")
    special = _Special()
    kept = [b"HTTP/1.1" + lines[0][8:]]
    for line in lines[1:-2]:
        field = known[line]
        if field is None or special.take(*field):
            kept.append(line)
    status = int(status_line[2])
    length = special.length
    if special.chunked and length >= 0:  # RFC 9112, 6.3: it overrides a length, which must not be passed on
        length = -1
        kept = [line for line in kept if not line.lower().startswith(b"content-length")]
    if special.upgrade and status in (101, 426):
        kept += [b"Connection: upgrade", b"Upgrade: " + special.upgrade]
    options = special.options
    reusable = b"close" not in options and (status_line[1] == b"1" or b"keep-alive" in options)
    head = b"\r\n".join(kept) + b"\r\n\r\n"
    return Answer(status, head, length, special.chunked, reusable, special.stream, special.upgrade)


def with_option(head: bytes, option: bytes) -> bytes:
    """The head with a Connection header."""
    return head[:-2] + b"Connection: " + option + b"\r\n\r\n"


def without_chunks(head: bytes) -> bytes:
    """The head without Transfer-Encoding, for a client that does not know chunks."""
    lines = head.split(b"\r\n")
    return b"\r\n".join([line for line in lines if not line.lower().startswith(b"transfer-encoding:")])


class _Special:
    """The headers that say how an answer is framed, gathered in one pass."""

    __slots__ = ("chunked", "length", "options", "stream", "upgrade")

    def __init__(self) -> None:
        self.length = -1
        self.chunked = self.stream = False
        self.options: tuple[bytes, ...] = ()
        self.upgrade = b""

    def take(self, name: bytes, value: bytes) -> bool:
        """Note one header. True when it is passed on as it stands."""
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18 or self.length not in (-1, int(value)):
                raise BadAnswer("the answer has a bad Content-Length")
            first = self.length < 0
            self.length = int(value)
            return first
        if name == b"transfer-encoding":
            if self.chunked or value.lower() != b"chunked":
                raise BadAnswer("the answer has a bad Transfer-Encoding")
            self.chunked = True
            return True
        if name == b"content-type":
            self.stream = True
            return True
        if name == b"connection":
            self.options += tuple(option.strip(b" \t") for option in value.lower().split(b","))
        elif name == b"upgrade":
            self.upgrade = value
        return False
