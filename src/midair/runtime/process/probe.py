"""Asks a replica once whether it is well. An empty answer means yes; anything else says why not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from midair.model.moment import Span, format_span
from midair.model.project import HealthCheck, Ready
from midair.runtime.process import command
from midair.runtime.process.command import Command
from midair.runtime.process.health import Kind
from midair.runtime.process.identity import PROC, has_proc
from midair.runtime.process.translate import substituted

Probe = Callable[[], Awaitable[str]]

_MOST = 65536  # bytes of an answer that are read before hanging up
_HEADERS = "Host: localhost\r\nUser-Agent: midair\r\nAccept: */*\r\nConnection: close\r\n"
_STATUS = len("HTTP/1.1 200")
_HOST = "127.0.0.1"


def probe_of(kind: Kind, check: HealthCheck | Ready, base: Command, values: dict[str, str], pid: int) -> Probe:
    """The question behind one check of one replica. `base` says where commands run."""
    port = int(values["PORT"])
    if kind == "running":
        return lambda: running(pid)
    if isinstance(check, HealthCheck):
        argv = _test(check.test, values)
        return lambda: ask_command(replace(base, argv=argv, timeout_s=check.timeout_s))
    if check.http is not None:
        path = "/" + check.http.lstrip("/")
        return lambda: ask_http(port, path, check.timeout_s)
    if check.command:
        argv = substituted(check.command, values)
        return lambda: ask_command(replace(base, argv=argv, timeout_s=check.timeout_s))
    return lambda: ask_tcp(port, check.timeout_s)


async def ask_tcp(port: int, timeout_s: Span) -> str:
    """Does something listen?"""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(_HOST, port)
    except (OSError, TimeoutError) as error:
        return f"nothing accepts connections on PORT {port}: {_why(error, timeout_s)}"
    await _hang_up(writer)
    return ""


async def ask_http(port: int, path: str, timeout_s: Span) -> str:
    """Does GET answer with 2xx or 3xx?"""
    try:
        async with asyncio.timeout(timeout_s):
            status = await _get(port, path)
    except (OSError, TimeoutError, ValueError) as error:
        return f"GET {path} failed: {_why(error, timeout_s)}"
    return "" if 200 <= status < 400 else f"GET {path} answered {status}"


async def ask_command(question: Command) -> str:
    """Does the command end with 0?"""
    return (await command.run(question)).trouble


async def running(pid: int) -> str:
    """Has the process become its command? It is a shell for an instant before."""
    if not has_proc():
        return ""
    try:
        words = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        words = b""
    return "" if words and b"\0midair\0" not in words else "is being started"


async def _get(port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(_HOST, port)
    try:
        writer.write(f"GET {path} HTTP/1.1\r\n{_HEADERS}\r\n".encode())
        try:
            head = await reader.readexactly(_STATUS)
        except asyncio.IncompleteReadError:
            raise ValueError("the connection was closed") from None
        version, _, rest = head.decode("latin-1").partition(" ")
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


def _test(test: tuple[str, ...], values: dict[str, str]) -> tuple[str, ...]:
    kind, *words = test
    if kind == "CMD-SHELL":
        return ("/bin/sh", "-c", *words)  # the shell finds the variables in its environment
    return substituted(tuple(words) if kind == "CMD" else test, values)


def _why(error: Exception, timeout_s: Span) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {format_span(timeout_s)}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
