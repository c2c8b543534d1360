"""The pure parsers, given anything: they take or refuse it in the one way they may, however it is cut into pieces."""

import contextlib
import re

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from midair.router.embedded import answer as answers
from midair.router.embedded.answer import BadAnswer, parse_answer
from midair.router.embedded.body import BadChunk, Chunks
from midair.router.embedded.frames import Frames, close_frame
from midair.router.embedded.head import REQUEST_LINE, BadHead, check_line, check_partial, known_lines, parse_block

PIECES = [
    b"Host: web", b"Content-Length: 5", b"Content-Length:", b"content-length: 7", b"Transfer-Encoding: chunked",
    b"transfer-encoding:", b"Connection: close", b"Connection: upgrade, X", b"Upgrade: websocket", b"X: y", b"X:",
    b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b":", b",", b"chunked", b"5", b"GET / HTTP/1.1\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"Expect: 100-continue", b"X-Forwarded-For: 1.2.3.4", b"\xff",
]  # fmt: skip


def whole_head(data):
    """Up to the first empty line, as parsers are given it."""
    data += b"\r\n\r\n"
    return data[: data.find(b"\r\n\r\n") + 4]


heads = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12).map(b"".join)


@settings(max_examples=600, deadline=None)
@given(heads)
@example(b"Host: web")
@example(b"Host: web\r\nX: a\r\n b")
def test_a_block_that_is_taken_is_taken_by_h11_too_and_means_the_same(rest):
    raw = whole_head(b"HTTP/1.1\r\n" + rest)
    try:
        block = parse_block(raw, known_lines())
    except BadHead:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"POST / " + raw)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    lengths = [int(value) for name, value in request.headers if name == b"content-length"]
    assert block.length == sum(lengths)
    assert block.chunked == any(name == b"transfer-encoding" for name, _ in request.headers)
    forwarded = h11.Connection(h11.SERVER)
    forwarded.receive_data(b"POST / " + block.forward + b"127.0.0.1\r\n\r\n")
    again = forwarded.next_event()
    assert isinstance(again, h11.Request)
    framing = {b"content-length", b"transfer-encoding", b"host"}
    assert [h for h in again.headers if h[0] in framing] == [h for h in request.headers if h[0] in framing]


@settings(max_examples=250, deadline=None)
@given(st.binary(max_size=60) | heads)
def test_a_beginning_is_waited_for_or_refused(data):
    if REQUEST_LINE.match(data):
        return
    with contextlib.suppress(BadHead):
        check_partial(data)
    if b"\r\n" in data:
        with pytest.raises(BadHead):
            check_line(data)


@settings(max_examples=400, deadline=None)
@given(heads)
def test_an_answers_head_is_taken_or_refused_and_stays_one_head(rest):
    try:
        answer = parse_answer(whole_head(b"HTTP/1.1 200 OK\r\n" + rest), answers.known_lines())
    except BadAnswer:
        return
    assert answer.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.head.count(b"\r\n\r\n") == 1
    assert answer.head.endswith(b"\r\n\r\n")
    assert not (answer.chunked and re.search(rb"(?i)\ncontent-length:", answer.head))


@settings(max_examples=400, deadline=None)
@given(heads, st.sampled_from([b"", b"\r\n", b"\n"]), st.binary(max_size=20))
@example(b"X: y\nContent-Length: 5\n", b"\n", b"hello\r\n\r\n")
@example(b"X: y\r\n z\r\n", b"", b"")
def test_loose_heads_become_strict_heads(rest, before, after):
    data = before + b"HTTP/1.1 200 OK\n" + rest + b"\n\n"
    head, end = answers.find_head(data + after)
    assert (head, end) == answers.find_head(data[:end])
    assert not any(answers.find_head(data[:size])[1] for size in range(end))
    assert b"\n" not in head.replace(b"\r\n", b"")
    try:
        answer = parse_answer(head, answers.known_lines())
    except BadAnswer:
        return
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "web")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer.head)
    assert isinstance(connection.next_event(), h11.Response)


chunked = st.lists(st.binary(min_size=1, max_size=40), max_size=6).map(
    lambda parts: b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
)


def feed(data, cuts, strict):
    """Where the body ends in the whole of `data`, fed in pieces; None: refused; -1: not yet."""
    chunks, position = Chunks(strict), 0
    try:
        for cut in [*sorted(cuts), len(data)]:
            end = chunks.feed(data[position:cut])
            if end >= 0:
                return position + end
            position = max(position, cut)
    except BadChunk:
        return None
    return -1


@settings(max_examples=250, deadline=None)
@given(chunked, st.lists(st.integers(0, 300)), st.binary(max_size=20), st.booleans())
def test_a_chunked_body_ends_where_it_ends_however_it_is_cut(body, cuts, after, strict):
    data = body + after
    cuts = [cut for cut in cuts if cut <= len(data)]
    assert feed(data, cuts, strict) == len(body)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from([b"5", b"0", b"a", b"\r\n", b"\n", b"\r", b" ", b";x", b"hello", b"X: y", b"-"])))
def test_anything_chunked_means_the_same_however_it_is_cut_and_no_more_than_h11_takes(parts):
    data = b"".join(parts)
    whole = feed(data, [], True)
    assert feed(data, range(len(data)), True) == whole
    if whole is not None and whole >= 0:
        connection = h11.Connection(h11.SERVER)
        connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
        event = connection.next_event()
        while not isinstance(event, h11.EndOfMessage):
            assert event is not h11.NEED_DATA
            event = connection.next_event()
        assert connection.trailing_data[0] == data[whole:]


def frame(payload, masked, opcode=1):
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | opcode, size | (128 if masked else 0)))
    else:
        head = bytes((0x80 | opcode, 126 | (128 if masked else 0))) + size.to_bytes(2, "big")
    return head + (b"\1\2\3\4" if masked else b"") + payload


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=300), st.booleans()), max_size=6), st.lists(st.integers(0, 900)))
def test_frames_are_followed_however_they_are_cut(messages, cuts):
    encoded = [frame(payload, masked) for payload, masked in messages]
    data, boundaries, position = b"".join(encoded), {0}, 0
    for one in encoded:
        position += len(one)
        boundaries.add(position)
    frames, position = Frames(), 0
    for cut in [*sorted(cut for cut in cuts if cut <= len(data)), len(data)]:
        last = frames.feed(data[position:cut])
        assert last == 0 or position + last in boundaries
        position = max(position, cut)
        assert frames.between == (position in boundaries)
    assert not frames.closed


def test_a_close_frame_is_seen_and_is_one_frame():
    for masked in (False, True):
        frames = Frames()
        data = close_frame(1012, "service restart", masked=masked)
        assert frames.feed(data) == len(data)
        assert frames.closed
