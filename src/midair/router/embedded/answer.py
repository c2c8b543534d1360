"""Heads of answers: what follows them, and what the client is sent in their place. Pure: bytes in, values out."""

import re

import msgspec

from midair.router.embedded.head import TOKEN, VALUE
from midair.router.embedded.remembered import Remembered

# A status that is out of range counts as 5xx (RFC 9110, 15), and a higher minor version as 1 (RFC 9110, 6.2).
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])( [1-9][0-9][0-9])(?: (" + VALUE + rb"))?")
_LINE = re.compile(rb"(" + TOKEN + rb"):(" + VALUE + rb")")
_SPECIAL = frozenset(
    (b"connection", b"content-length", b"content-type", b"keep-alive", b"proxy-connection", b"transfer-encoding",
     b"upgrade"),
)  # fmt: skip
_LENGTHS = re.compile(rb"([0-9]{1,18})(?:[ \t]*,[ \t]*\1)*")
_EMPTY_LINE = re.compile(rb"\r?\n\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_FOLD = re.compile(rb"[ \t]*\r\n[ \t]+")
_SPACED_COLON = re.compile(rb"(?m)^(" + TOKEN + rb")[ \t]+:")
_EMPTY_LINES_MAX_BYTES = 8
# Nominated by Connection or not, clients need them.
_KEPT_FROM_NOMINATION = frozenset(
    (b"cache-control", b"content-encoding", b"content-length", b"content-range", b"content-type", b"date",
     b"expires", b"location", b"set-cookie", b"transfer-encoding", b"upgrade", b"vary"),
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
    mute: bool = False  # its status allows no body, and its head tells of one


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
    kept = [b"HTTP/1.1" + status_line[2] + b" " + (status_line[3] or b"")]
    for line in lines[1:-2]:
        field = known[line]
        if field is None or special.take(*field):
            kept.append(line)
    status = int(status_line[2])
    length = special.length
    mute = status < 200 or status == 204
    left_out = special.options - _KEPT_FROM_NOMINATION
    if mute:  # RFC 9110, 8.6, and RFC 9112, 6.1: a client that believed them would wait
        left_out |= {b"content-length", b"transfer-encoding"}
    elif special.chunked and length >= 0:  # RFC 9112, 6.3: it overrides a length, which must not be passed on
        length = -1
        left_out |= {b"content-length"}
    if special.listed:
        kept.append(b"Content-Length: %d" % special.length)
    if left_out:
        kept = [kept[0], *(line for line in kept[1:] if line.partition(b":")[0].lower() not in left_out)]
    if special.upgrade and status in (101, 426):
        kept += [b"Connection: upgrade", b"Upgrade: " + special.upgrade]
    old = status_line[1] == b"0"
    reusable = b"close" not in special.options and (not old or b"keep-alive" in special.options)
    if special.chunked and (old or special.length >= 0):  # RFC 9112, 6.1: perhaps not what it meant
        reusable = False
    head = b"\r\n".join(kept) + b"\r\n\r\n"
    return Answer(
        status, head, length, special.chunked, reusable, special.stream, special.upgrade,
        mute and (special.chunked or length > 0),
    )  # fmt: skip


def find_head(data: bytes) -> tuple[bytes, int]:
    """The head of an answer that is written less strictly, as it should be, and where it ends in `data`.

    Lines may end with LF alone, empty ones may come first (RFC 9112, 2.2), a line may be folded (5.2) and a name
    followed by space (5.1): where a request is refused, refusing an answer would lose one. (b"", 0): it is not whole.
    """
    stripped = data.lstrip(b"\r\n")
    before = len(data) - len(stripped)
    if before > _EMPTY_LINES_MAX_BYTES:
        raise BadAnswer("the answer begins with empty lines")
    end = _EMPTY_LINE.search(stripped)
    if end is None:
        return b"", 0
    head = _LINE_END.sub(b"\r\n", stripped[: end.end()])
    return _SPACED_COLON.sub(rb"\1:", _FOLD.sub(b" ", head)), before + end.end()


def with_option(head: bytes, option: bytes) -> bytes:
    """The head with a Connection header."""
    return head[:-2] + b"Connection: " + option + b"\r\n\r\n"


def without_chunks(head: bytes) -> bytes:
    """The head without Transfer-Encoding, for a client that does not know chunks."""
    lines = head.split(b"\r\n")
    return b"\r\n".join([line for line in lines if not line.lower().startswith(b"transfer-encoding:")])


class _Special:
    """The headers that say how an answer is framed, gathered in one pass."""

    __slots__ = ("chunked", "length", "listed", "options", "stream", "upgrade")

    def __init__(self) -> None:
        self.length = -1
        self.chunked = self.stream = False
        self.listed = False  # the length came as a list of equal ones
        self.options: frozenset[bytes] = frozenset()
        self.upgrade = b""

    def take(self, name: bytes, value: bytes) -> bool:
        """Note one header. True when it is passed on as it stands."""
        if name == b"content-length":
            lengths = _LENGTHS.fullmatch(value)
            if lengths is None or self.length not in (-1, int(lengths[1])):
                raise BadAnswer("the answer has a bad Content-Length")
            first = self.length < 0
            self.length = int(lengths[1])
            self.listed |= first and b"," in value
            return first and not self.listed
        if name == b"transfer-encoding":
            if self.chunked or value.lower() != b"chunked":
                raise BadAnswer("the answer has a bad Transfer-Encoding")
            self.chunked = True
            return True
        if name == b"content-type":
            self.stream = True
            return True
        if name == b"connection":
            self.options |= {option.strip(b" \t") for option in value.lower().split(b",")} - {b""}
        elif name == b"upgrade":
            self.upgrade = value
        return False
