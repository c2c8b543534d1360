"""Asks once, over the network, whether somebody answers. An empty answer means yes; anything else says why not."""

import asyncio
import contextlib
from collections.abc import Mapping

from midair.model.moment import Span, format_span

_MOST = 65536  # bytes of an answer that are read before hanging up
_HEADERS = {"Host": "localhost", "User-Agent": "midair", "Accept": "*/*", "Connection": "close"}
_STATUS = len("HTTP/1.1 200")
_HERE = "127.0.0.1"
_NONE: Mapping[str, str] = {}


async def ask_tcp(port: int, timeout_s: Span, host: str = _HERE) -> str:
    """Does something listen?"""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        return f"nothing accepts connections on port {port}: {_why(error, timeout_s)}"
    await _hang_up(writer)
    return ""


async def ask_http(
    port: int, path: str, timeout_s: Span, address: str = _HERE, *, host: str = "", headers: Mapping[str, str] = _NONE
) -> str:
    """Does GET answer with 2xx or 3xx? `host` and `headers` are sent along."""
    own = {name.lower(): name for name in _HEADERS}
    fields = _HEADERS | {own.get(name.lower(), name): value for name, value in headers.items()}
    fields |= {"Host": host} if host else {}
    try:
        async with asyncio.timeout(timeout_s):
            status = await _get(address, port, path, fields)
    except (OSError, TimeoutError, ValueError) as error:
        return f"GET {path} failed: {_why(error, timeout_s)}"
    return "" if 200 <= status < 400 else f"GET {path} answered {status}"


async def _get(host: str, port: int, path: str, fields: Mapping[str, str]) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        try:
            answer = await reader.readexactly(_STATUS)
        except asyncio.IncompleteReadError:
            raise ValueError("the connection was closed") from None
        version, _, rest = answer.decode("latin-1").partition(" ")
        if not version.startswith("HTTP/") or not rest[:3].isdigit():
            raise ValueError("the answer is not HTTP")
        await reader.read(_MOST)  # so that most servers can finish before the connection is gone
        return int(rest[:3])
    finally:
        await _hang_up(writer)


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _why(error: Exception, timeout_s: Span) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {format_span(timeout_s)}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
