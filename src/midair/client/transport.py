"""HTTP over the Unix socket: one request, one connection. Knows the form of errors, not what is asked for."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from midair import errors
from midair.client.exchange import BrokenOff, Exchange
from midair.client.home import SOCKET
from midair.others import hint_of, user_name
from midair.view.error import ErrorAnswer, ErrorView

TIMEOUT_S = 60.0
HANDOVER_S = 2.0  # for a daemon that ends in the middle of a question, and its successor


class Transport:
    """Sends requests to one daemon."""

    def __init__(self, home: Path) -> None:
        self.path = home / SOCKET

    def call(self, method: str, url: str, body: bytes | None = None, *, timeout: float | None = TIMEOUT_S) -> bytes:
        """The body of a successful answer. Raises the error that the API answered with."""
        deadline = time.monotonic() + HANDOVER_S
        while True:
            try:
                with Exchange(self.path, timeout) as exchange:
                    return _checked(exchange.begin(method, url, {}, body), exchange)
            except (BrokenOff, ConnectionResetError, BrokenPipeError) as error:
                if method != "GET" or time.monotonic() > deadline:
                    raise unreachable(error, self.path) from error
            except OSError as error:
                raise unreachable(error, self.path) from error
            time.sleep(0.02)  # the daemon ended before it answered, which may have been for its successor

    def stream(
        self, method: str, url: str, body: bytes | None = None, *, last: int | None = None
    ) -> Iterator[tuple[str, bytes]]:
        """(event name, data) of each server-sent event, until the server ends the stream.

        Raises ConnectionError when the connection breaks off, so that the caller can come again.
        """
        headers = {"Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        try:
            with Exchange(self.path, TIMEOUT_S) as exchange:
                status = exchange.begin(method, url, headers, body)
                if status >= 400:
                    _checked(status, exchange)
                yield from _events(exchange.lines())
        except ConnectionRefusedError as error:
            raise unreachable(error, self.path) from error
        except ConnectionError:
            raise
        except OSError as error:
            raise unreachable(error, self.path) from error


def _checked(status: int, exchange: Exchange) -> bytes:
    """The body, unless it is about a failure."""
    body = exchange.read()
    if status >= 400:
        raise error_from(status, body)
    return body


def _events(lines: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    name, data = "", b""
    for line in lines:
        field, _, value = line.rstrip(b"\r").partition(b": ")
        if field == b"event":
            name = value.decode()
        elif field == b"data":
            data += value
        elif not field and data:
            yield name, data
            name, data = "", b""


def error_from(status: int, body: bytes) -> errors.MidairError:
    """The exception for an answer that is about a failure."""
    try:
        error = msgspec.json.decode(body, type=ErrorAnswer).error
    except msgspec.DecodeError:
        return errors.DaemonTrouble(f"cannot read the daemon's answer: status {status}, {body[:200]!r}")
    return error_of(error)


def error_of(error: ErrorView) -> errors.MidairError:
    """The exception for an error of the API."""
    if error.kind == errors.FileRefused.kind:
        return errors.FileRefused(error.problems or (errors.Problem("", error.message),), hint=error.hint)
    made = _kinds().get(error.kind, errors.DaemonTrouble)
    return made(error.message, hint=error.hint)


def _kinds() -> dict[str, type[errors.MidairError]]:
    found: dict[str, type[errors.MidairError]] = {}
    waiting = [errors.MidairError]
    while waiting:
        family = waiting.pop()
        found[family.kind] = family
        waiting.extend(family.__subclasses__())
    return found


def unreachable(error: Exception, path: Path) -> errors.DaemonTrouble:
    """The exception for a connection that could not be made, or broke."""
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)):
        hint = "run midair up, which starts it, or midair daemon start"
        others = hint_of(_folder_name(), alone=False)
        return errors.DaemonTrouble(
            "cannot reach the daemon: it is not running", hint=f"{others}; or {hint}" if others else hint
        )
    if isinstance(error, PermissionError):
        return _of_another_user(path)
    if isinstance(error, TimeoutError):
        return errors.DaemonTrouble("cannot reach the daemon: it does not answer", hint="look into daemon.log")
    return errors.DaemonTrouble(f"cannot reach the daemon: {error or type(error).__name__}")


def _of_another_user(path: Path) -> errors.DaemonTrouble:
    for place in (path, *path.parents):
        try:
            user = user_name(place.stat().st_uid)
        except OSError:
            continue
        return errors.DaemonTrouble(
            f'cannot reach the daemon: "{path.parent}" belongs to user {user}',
            hint=f"run it as that user: sudo -u {user} MIDAIR_HOME={path.parent} midair status",
        )
    return errors.DaemonTrouble("cannot reach the daemon: its socket belongs to another user")


def _folder_name() -> str:
    """What a project in this folder is called, mostly."""
    try:
        return Path.cwd().name
    except OSError:
        return ""
