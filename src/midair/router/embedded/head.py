"""Request heads: parsed strictly, then forwarded nearly verbatim. Pure: bytes in, values out.

Whatever two parsers might read differently is refused (RFC 9112, sections 2.2, 5.1, 6.1, 6.3 and 11.2). The header
block is parsed apart from the request line, because clients send the same block again and again with other paths:
parsed blocks are remembered, and for blocks that are new the lines they consist of, which seldom are.
"""

import re

import msgspec

from midair.router.embedded.remembered import Remembered

HEAD_MAX_BYTES = 65536
HEADERS_MAX = 128

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
VALUE = rb"[\t\x20-\x7e\x80-\xff]*"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([\x21-\x7e]+) (?=HTTP/1\.[01]\r\n)")
_LINE = re.compile(rb"(" + TOKEN + rb"):(" + VALUE + rb")")
_SPECIAL = frozenset(
    (b"connection", b"content-length", b"expect", b"host", b"http2-settings", b"keep-alive", b"proxy",
     b"proxy-connection", b"te", b"transfer-encoding", b"upgrade", b"x-forwarded-for", b"x-forwarded-host",
     b"x-forwarded-proto", b"x-request-id"),
)  # fmt: skip
_BEGINNING = re.compile(TOKEN + rb"(?: |\Z)|\Z")
_LENGTH = re.compile(rb"[0-9]{1,18}")
HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:%\[\]-]*")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._=+/:@-]{1,128}")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_ABSOLUTE = re.compile(rb"(?i)(https?)://([^/?#@]+)([/?].*)?")
_PORT = re.compile(rb":0*([0-9]*)\Z")
_PROTOCOL = re.compile(rb"(" + TOKEN + rb")(?:/" + TOKEN + rb")?")
_NO_UPGRADE = frozenset((b"h2", b"h2c", b"http", b"tls"))  # what follows would be requests that nobody reads or counts
_KEPT_FROM_NOMINATION = frozenset(
    (b"authorization", b"cache-control", b"content-length", b"content-type", b"cookie", b"forwarded", b"host",
     b"transfer-encoding", b"x-real-ip", b"x-request-id", b"close", b"keep-alive", b"upgrade"),
)  # fmt: skip
_FORWARDED = b"x-forwarded-"
_CLAIMS = frozenset((b"forwarded", b"x-real-ip"))


class BadHead(Exception):
    """A request that is refused: the status and one line for its sender."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


Field = tuple[bytes, bytes]  # name in lower case, and value


class Block(msgspec.Struct, frozen=True, gc=False):
    """A parsed header block, with what the router does about it."""

    forward: bytes  # version and headers for the replica, up to the client's address in X-Forwarded-For
    host: bytes
    hosted: bool = True  # came with a Host, be it empty
    length: int = 0  # of the body
    chunked: bool = False
    keep: bool = True  # the client's connection goes on after the answer
    old: bool = False  # HTTP/1.0
    upgrade: tuple[bytes, ...] = ()  # protocols that the client offers to switch to, in lower case
    named: bool = False  # came with a valid X-Request-Id
    claims: tuple[Field, ...] = ()  # what the client says of whom it forwards for


Lines = Remembered[Field | None]


def parse_line(line: bytes) -> Field | None:
    """One header. A name that differs from a special one by underscores is special: some servers see no difference."""
    match = _LINE.fullmatch(line)
    if match is None:
        raise BadHead(400, _wrong_line(line))
    name = match[1].lower()
    return (name, match[2].strip(b" \t")) if name.replace(b"_", b"-") in _SPECIAL or is_claim(name) else None


def is_claim(name: bytes) -> bool:
    """Whether a header of this name says of whom a request comes, or seems to for servers that see no underscores."""
    name = name.lower().replace(b"_", b"-")
    return name in _CLAIMS or name.startswith(_FORWARDED)


def check_partial(data: bytes) -> None:
    """Refuse a beginning that no further byte can turn into a good head."""
    if len(data) > HEAD_MAX_BYTES:
        raise BadHead(431, "the request head is too large")
    if not _BEGINNING.match(data):
        raise BadHead(400, "this is not HTTP")
    if _BARE_LF.search(data):
        raise BadHead(400, "a line ends without CR")


def check_line(data: bytes) -> None:
    """Say what is wrong with a request line that did not match."""
    line = data[: data.find(b"\r\n")]
    words = line.split(b" ")
    if len(words) == 3 and re.fullmatch(rb"HTTP/[0-9]\.[0-9]", words[2]) and not words[2].startswith(b"HTTP/1."):
        raise BadHead(505, "this HTTP version is not spoken here")
    raise BadHead(400, "the request line is malformed")


def check_target(method: bytes, target: bytes, block: Block) -> tuple[bytes, Block]:
    """The target to forward for one that does not start with a slash, and the block to forward with it."""
    if method == b"OPTIONS" and target == b"*":
        return target, block
    if method == b"CONNECT":
        raise BadHead(501, "CONNECT is not served here")
    absolute = _ABSOLUTE.fullmatch(target)
    if not absolute:
        raise BadHead(400, "the request target is malformed")
    scheme, authority, path = absolute[1].lower(), absolute[2], absolute[3]
    if block.old and not block.hosted and HOST.fullmatch(authority):  # RFC 9112, 3.2.2: the target says the host
        block = _hosted(block, authority)
    if _origin(scheme, authority) != _origin(scheme, block.host):
        raise BadHead(400, "the request target is for another host")
    if not path:
        return b"*" if method == b"OPTIONS" else b"/", block  # RFC 9112, 3.2.4
    return path if path.startswith(b"/") else b"/" + path, block


def _origin(scheme: bytes, authority: bytes) -> bytes:
    """An authority with its default port left out, for comparing."""
    host = authority.lower()
    port = _PORT.search(host)
    if port and port[1] in (b"", b"80" if scheme == b"http" else b"443"):
        return host[: port.start()]
    return host


def _hosted(block: Block, host: bytes) -> Block:
    """The block of a request that has no Host, with one."""
    version, _, rest = block.forward.partition(b"\r\n")
    lines = b"\r\nHost: " + host + b"\r\nX-Forwarded-Host: " + host + b"\r\n"
    return msgspec.structs.replace(block, forward=version + lines + rest, host=host, hosted=True)


def known_lines() -> Lines:
    """Header lines seen before: fields that matter to the router, None for those that are passed on unread."""
    return Remembered(parse_line, bytes_max=512)


def known_blocks() -> Remembered[Block]:
    """Heads seen before; for those that are new, the lines they consist of, which seldom are."""
    lines = known_lines()
    return Remembered(lambda raw: parse_block(raw, lines), bytes_max=4096)


def parse_block(raw: bytes, known: Lines) -> Block:
    """Parse from the version to the empty line, both included."""
    lines = raw.split(b"\r\n")
    if len(lines) > HEADERS_MAX + 3:
        raise BadHead(431, "the request has too many header fields")
    special = _Special()
    cut = False
    kept = [lines[0]]
    for line in lines[1:-2]:
        field = known[line]
        if field is None or special.take(*field):
            kept.append(line)
        else:
            cut = True
    old = raw.startswith(b"HTTP/1.0")
    special.check(old)
    if special.nominated:
        kept = [line for line in kept if not _is_nominated(line, special.nominated)]
        cut = True
    return _block(b"\r\n".join([*kept, b""]) if cut else raw[:-2], special, old)


def _is_nominated(line: bytes, nominated: frozenset[bytes]) -> bool:
    name = line.partition(b":")[0].lower()
    return name in nominated and not name.startswith(_FORWARDED)


class _Special:
    """The headers that say how a message is framed and forwarded, gathered in one pass."""

    __slots__ = ("chunked", "claims", "close", "forwarded_for", "host", "keep_alive", "length", "nominated",
                 "request_id", "upgrade", "wants_upgrade")  # fmt: skip

    def __init__(self) -> None:
        self.length: bytes | None = None
        self.host: bytes | None = None
        self.chunked = self.close = self.keep_alive = self.wants_upgrade = False
        self.request_id = b""
        self.upgrade: list[bytes] = []
        self.forwarded_for: list[bytes] = []
        self.claims: list[Field] = []
        self.nominated: frozenset[bytes] = frozenset()

    def take(self, name: bytes, value: bytes) -> bool:
        """Note one header. True when it is forwarded as it stands."""
        if name == b"host":
            self._take_host(value)
            return True
        if name == b"content-length":
            if self.length is not None or not _LENGTH.fullmatch(value):
                raise BadHead(400, "Content-Length is malformed or given twice")
            self.length = value
            return True
        if name == b"transfer-encoding":
            if self.chunked or value.lower() != b"chunked":
                raise BadHead(
                    400 if self.chunked else 501, "only Transfer-Encoding: chunked, given once, is understood"
                )
            self.chunked = True
            return True
        if name == b"connection":
            self._take_connection(value)
        elif name == b"upgrade":
            self.upgrade += [protocol.strip(b" \t") for protocol in value.split(b",")]
        elif name == b"x-forwarded-for" and value:
            self.forwarded_for.append(value)
        elif name == b"x-request-id" and not self.request_id and _REQUEST_ID.fullmatch(value):
            self.request_id = value
        if name in _CLAIMS or name.startswith(_FORWARDED):
            self.claims.append((name, value))
        return name == b"expect" or name.replace(b"_", b"-") not in _SPECIAL

    def _take_host(self, value: bytes) -> None:
        if self.host is not None or not HOST.fullmatch(value):
            raise BadHead(400, "Host is malformed or given twice")
        self.host = value

    def _take_connection(self, value: bytes) -> None:
        options = {option.strip(b" \t").lower() for option in value.split(b",")}
        self.close |= b"close" in options
        self.keep_alive |= b"keep-alive" in options
        self.wants_upgrade |= b"upgrade" in options
        self.nominated |= options - _KEPT_FROM_NOMINATION - {b""}

    def check(self, old: bool) -> None:
        if self.chunked and (self.length is not None or old):
            raise BadHead(400, "Transfer-Encoding beside Content-Length, or in HTTP/1.0, is ambiguous")
        if self.host is None and not old:
            raise BadHead(400, "Host is missing")


def _block(kept: bytes, special: _Special, old: bool) -> Block:
    upgrade = [protocol for protocol in special.upgrade if _may_switch(protocol)]
    if not special.wants_upgrade or old:
        upgrade.clear()
    if upgrade:
        kept += b"Connection: upgrade\r\nUpgrade: " + b", ".join(upgrade) + b"\r\n"
    elif old:
        kept += b"Connection: close\r\n"
    if special.request_id:
        kept += b"X-Request-Id: " + special.request_id + b"\r\n"
    if special.host:
        kept += b"X-Forwarded-Host: " + special.host + b"\r\n"
    before = b"".join([value + b", " for value in special.forwarded_for])
    return Block(
        forward=kept + b"X-Forwarded-Proto: http\r\nX-Forwarded-For: " + before,
        host=special.host or b"",
        hosted=special.host is not None,
        length=int(special.length or 0),
        chunked=special.chunked,
        keep=special.keep_alive and not special.close if old else not special.close,
        old=old,
        upgrade=tuple(protocol.lower() for protocol in upgrade),
        named=bool(special.request_id),
        claims=tuple(special.claims),
    )


def _may_switch(protocol: bytes) -> bool:
    match = _PROTOCOL.fullmatch(protocol)
    return match is not None and match[1].lower() not in _NO_UPGRADE


def _wrong_line(line: bytes) -> str:
    """What is wrong with a line that did not match, for the one who sent it."""
    if b"\n" in line:
        return "a line ends without CR"
    if line[:1] in (b" ", b"\t"):
        return "a header is folded over two lines"
    if not re.match(TOKEN + rb":", line):
        return "a header name is malformed"
    return "a header value has a control character"
