"""The router's own short answers."""

import http

RETRY = frozenset((502, 503, 504))


def plain_answer(status: int, reason: str, *, close: bool, body: bool = True) -> bytes:
    """A whole answer in plain text with one line that says why."""
    text = f"{reason}\n".encode()
    lines = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Cache-Control: no-store",
    ]
    if status in RETRY:
        lines.append("Retry-After: 1")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + (text if body else b"")
