"""One command beside the replicas of a service, on a connection of its own: frames go both ways until it has ended."""

import select
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

import h11
import msgspec

from midair import errors
from midair.client.home import SOCKET, connect
from midair.client.transport import TIMEOUT_S, error_from, error_of, unreachable
from midair.view.ask import AskCommand
from midair.view.error import ErrorAnswer
from midair.view.frames import MEDIA_TYPE, WINDOW, BadFrame, Frames, Kind, Size, frame

_BLOCK = 64 * 1024


class CommandStream:
    """Use it in a `with` block. Leaving the block ends the command.

    Raises what the daemon answered with; DaemonTrouble when it cannot be reached or goes away.
    """

    def __init__(self, home: Path, project: str, service: str, how: Literal["exec", "run"], ask: AskCommand) -> None:
        self._http, self._frames = h11.Connection(h11.CLIENT), Frames()
        self._url = f"/v1/projects/{quote(project, safe='')}/services/{quote(service, safe='')}/{how}"
        self._sent = 0  # bytes of input that were not acknowledged
        self.code: int | None = None  # once it has ended
        self._path = home / SOCKET
        try:
            self._socket = connect(self._path, TIMEOUT_S)
        except OSError as error:
            raise unreachable(error, self._path) from error
        try:
            self._begin(ask)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Of the connection: readable when `read` has something to return."""
        return self._socket.fileno()

    @property
    def room(self) -> int:
        """How many bytes of input may be sent now."""
        return max(WINDOW - self._sent, 0)

    def write(self, data: bytes) -> None:
        """Send input, as much as there is room for."""
        self._sent += len(data)
        self._send(Kind.INPUT, data)

    def close_input(self) -> None:
        """There will be no more input."""
        self._send(Kind.INPUT_END)

    def resize(self, rows: int, columns: int) -> None:
        """The terminal has another size."""
        self._send(Kind.SIZE, msgspec.json.encode(Size(rows, columns)))

    def signal(self, name: str) -> None:
        """Send the command a signal."""
        self._send(Kind.SIGNAL, name.encode())

    def read(self) -> list[tuple[bool, bytes]]:
        """Output that came, and whether it is of standard error. Blocks until something came."""
        output = []
        for kind, data in self._received():
            if kind in (Kind.OUTPUT, Kind.ERROR_OUTPUT):
                output.append((kind == Kind.ERROR_OUTPUT, data))
            elif kind == Kind.TAKEN:
                self._sent -= int(data)
            elif kind == Kind.ENDED:
                self.code = int(data)
            elif kind == Kind.TROUBLE:
                raise error_of(msgspec.json.decode(data, type=ErrorAnswer).error)
        return output

    def _begin(self, ask: AskCommand) -> None:
        headers = [("Host", "midair"), ("Connection", "close"), ("Content-Type", MEDIA_TYPE)]
        request = h11.Request(method="POST", target=self._url, headers=[*headers, ("Transfer-Encoding", "chunked")])
        self._put(self._http.send(request) or b"")
        self._send(Kind.ASK, msgspec.json.encode(ask))
        answer = self._next()
        if not isinstance(answer, h11.Response):
            raise _gone()
        if answer.status_code >= 400:
            body = b""
            while isinstance(part := self._next(), h11.Data):
                body += part.data
            raise error_from(answer.status_code, body)
        self._socket.settimeout(None)

    def _received(self) -> list[tuple[Kind, bytes]]:
        event = self._next()
        if not isinstance(event, h11.Data):
            raise _gone()
        data = [bytes(event.data)]
        while isinstance(event := self._http.next_event(), h11.Data):
            data.append(bytes(event.data))
        try:
            return self._frames.feed(b"".join(data))
        except BadFrame as error:
            raise errors.DaemonTrouble(f"cannot read the daemon's answer: {error}") from error

    def _next(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(self._socket.recv(_BLOCK))
        except h11.RemoteProtocolError as error:
            raise _gone() from error
        except OSError as error:
            raise unreachable(error, self._path) from error
        return event

    def _send(self, kind: Kind, data: bytes = b"") -> None:
        self._put(self._http.send(h11.Data(data=frame(kind, data))) or b"")

    def _put(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            # The reason may stand in what the daemon sent before it closed.
            if self._http.their_state is not h11.SEND_RESPONSE and select.select([self._socket], [], [], 0)[0]:
                return
            raise unreachable(error, self._path) from error


def _gone() -> errors.DaemonTrouble:
    return errors.DaemonTrouble("cannot go on with the command: the daemon went away, which ended it")
