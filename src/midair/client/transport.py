"""HTTP over the Unix socket: one request, one connection. Knows the form of errors, not what is asked for."""

import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from midair import errors
from midair.client.home import SOCKET, connect
from midair.view.error import ErrorAnswer, ErrorView

TIMEOUT_S = 60.0
HANDOVER_S = 2.0  # for a daemon that ends in the middle of a question, and its successor


class _UnixConnection(http.client.HTTPConnection):
    """HTTPConnection that connects to a path."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("midair", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path, self.timeout)


class Transport:
    """Sends requests to one daemon."""

    def __init__(self, home: Path) -> None:
        self.path = home / SOCKET

    def call(self, method: str, url: str, body: bytes | None = None, *, timeout: float | None = TIMEOUT_S) -> bytes:
        """The body of a successful answer. Raises the error that the API answered with."""
        deadline = time.monotonic() + HANDOVER_S
        while True:
            try:
                return self._call(method, url, body, timeout)
            except (ConnectionResetError, BrokenPipeError, http.client.HTTPException) as error:
                if method != "GET" or time.monotonic() > deadline:
                    raise _unreachable(error) from error
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
            connection, answer = self._request(method, url, body, headers, TIMEOUT_S)
        except (ConnectionResetError, BrokenPipeError, http.client.HTTPException) as error:
            raise ConnectionError("the event stream did not begin") from error
        try:
            yield from _events(answer)
        except (http.client.HTTPException, OSError) as error:
            raise ConnectionError("the event stream broke off") from error
        finally:
            answer.close()
            connection.close()

    def _call(self, method: str, url: str, body: bytes | None, timeout: float | None) -> bytes:
        connection, answer = self._request(method, url, body, {}, timeout)
        try:
            return answer.read()
        finally:
            connection.close()

    def _request(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], timeout: float | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        connection = _UnixConnection(self.path, timeout)
        try:
            connection.request(method, url, body, {"Content-Type": "application/json", **headers} if body else headers)
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _error(answer.status, answer.read())
        except (ConnectionResetError, BrokenPipeError):
            connection.close()
            raise
        except OSError as error:
            connection.close()
            raise _unreachable(error) from error
        except BaseException:
            connection.close()
            raise
        return connection, answer


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
    name, data = "", b""
    while line := answer.readline():
        field, _, value = line.rstrip(b"\r\n").partition(b": ")
        if field == b"event":
            name = value.decode()
        elif field == b"data":
            data += value
        elif not field and data:
            yield name, data
            name, data = "", b""


def _error(status: int, body: bytes) -> errors.MidairError:
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


def _unreachable(error: Exception) -> errors.DaemonTrouble:
    if isinstance(error, (FileNotFoundError, ConnectionRefusedError, NotADirectoryError)):
        return errors.DaemonTrouble("cannot reach the daemon: it is not running", hint="start it with midair serve")
    if isinstance(error, PermissionError):
        return errors.DaemonTrouble("cannot reach the daemon: its socket belongs to another user")
    if isinstance(error, TimeoutError):
        return errors.DaemonTrouble("cannot reach the daemon: it does not answer", hint="look into daemon.log")
    return errors.DaemonTrouble(f"cannot reach the daemon: {error or type(error).__name__}")
