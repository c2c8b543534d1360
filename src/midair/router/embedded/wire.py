"""Messages in JSON lines, with file descriptors beside them, over the router's Unix socket."""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from midair.errors import RouterTrouble

SOCKET = "router.sock"
_READ_BYTES = 262144
_READS_MAX = 256  # before others have their turn
_DESCRIPTORS_MAX = 250  # in one message; the kernel takes 253

T = TypeVar("T")


class Message(msgspec.Struct, omit_defaults=True):
    """A question (`do`), its answer (the same `id`), or news (`id` 0)."""

    id: int = 0
    do: str = ""
    body: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    fds: int = 0  # descriptors that came with it


Handle = Callable[["Wire", Message, list[int]], Awaitable[tuple[Any, tuple[int, ...]]]]


class Wire:
    """One end of a connection. Both ends may ask; `handle` answers."""

    def __init__(self, sock: socket.socket, handle: Handle, on_end: Callable[["Wire"], None]) -> None:
        self.sock = sock
        self.closed = False
        self._loop = asyncio.get_running_loop()
        self._handle = handle
        self._on_end = on_end
        self._read = b""
        self._descriptors: deque[int] = deque()
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._asked: dict[int, asyncio.Future[tuple[Message, list[int]]]] = {}
        self._last_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        sock.setblocking(False)
        self._loop.add_reader(sock.fileno(), self._readable)

    async def ask(self, do: str, body: object, answer: type[T], *, timeout_s: float = 10.0) -> T:
        """Ask the other end and wait for its answer. Raises RouterTrouble."""
        message, _ = await self._exchange(do, body, timeout_s)
        return msgspec.json.decode(message.body, type=answer)

    async def ask_for_descriptors(self, do: str, body: object, answer: type[T]) -> tuple[T, list[int]]:
        """Like `ask`, for answers that come with file descriptors."""
        message, descriptors = await self._exchange(do, body, 10.0)
        return msgspec.json.decode(message.body, type=answer), descriptors

    @property
    def backlog(self) -> int:
        """Messages that the other end has not taken yet."""
        return len(self._unsent)

    def tell(self, do: str, body: object = None, fds: tuple[int, ...] = ()) -> None:
        """Send news, which nobody answers. The descriptors are closed here once they are sent."""
        self._send(Message(do=do, body=msgspec.Raw(msgspec.json.encode(body))), fds)

    async def finish(self) -> None:
        """Wait until all that was asked here is done, also when the other end is gone."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def close(self) -> None:
        """Hang up."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self.sock.fileno())
        self._loop.remove_writer(self.sock.fileno())
        self.sock.close()
        _close_all(self._descriptors)
        self._drop_unsent()
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(RouterTrouble("cannot ask the router: it is gone"))
        self._on_end(self)

    async def _exchange(self, do: str, body: object, timeout_s: float) -> tuple[Message, list[int]]:
        if self.closed:
            raise RouterTrouble("cannot ask the router: it is gone")
        self._last_id += 1
        number = self._last_id
        answered: asyncio.Future[tuple[Message, list[int]]] = self._loop.create_future()
        self._asked[number] = answered
        try:
            self._send(Message(id=number, do=do, body=msgspec.Raw(msgspec.json.encode(body))), ())
            async with asyncio.timeout(timeout_s):
                message, descriptors = await answered
        except TimeoutError:
            raise RouterTrouble(f"cannot ask the router: no answer within {timeout_s:g} s") from None
        finally:
            del self._asked[number]
        if message.error:
            raise RouterTrouble(message.error)
        return message, descriptors

    def _send(self, message: Message, fds: tuple[int, ...]) -> None:
        if self.closed:
            _close_all(fds)
            return
        message.fds = len(fds)
        self._unsent.append((msgspec.json.encode(message) + b"\n", fds))
        if len(self._unsent) == 1:
            self._writable()

    def _writable(self) -> None:
        try:
            while self._unsent:
                data, fds = self._unsent[0]
                sent = socket.send_fds(self.sock, [data], fds)
                _close_all(fds)
                if sent < len(data):
                    self._unsent[0] = (data[sent:], ())
                else:
                    self._unsent.popleft()
            self._loop.remove_writer(self.sock.fileno())
        except BlockingIOError:
            self._loop.add_writer(self.sock.fileno(), self._writable)
        except OSError:  # the other end is gone; what it sent before is still to be read, and then its end
            self._loop.remove_writer(self.sock.fileno())
            self._drop_unsent()

    def _drop_unsent(self) -> None:
        for _, fds in self._unsent:
            _close_all(fds)
        self._unsent.clear()

    def _readable(self) -> None:
        """Read all there is: the kernel gives one message at a time when descriptors come with it."""
        for _ in range(_READS_MAX):
            try:
                data, descriptors, _, _ = socket.recv_fds(self.sock, _READ_BYTES, _DESCRIPTORS_MAX)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            self._descriptors.extend(descriptors)
            if not data:
                self.close()
                return
            *lines, self._read = (self._read + data).split(b"\n")
            for line in lines:
                self._take(msgspec.json.decode(line, type=Message))
            if self.closed:
                return

    def _take(self, message: Message) -> None:
        descriptors = [self._descriptors.popleft() for _ in range(min(message.fds, len(self._descriptors)))]
        if len(descriptors) < message.fds:  # as many are open here as may be: the kernel has closed the others
            _close_all(descriptors)
            message, descriptors = Message(id=message.id, error="cannot take descriptors: too many are open"), []
        if not message.do:
            asked = self._asked.get(message.id)
            if asked is not None and not asked.done():
                asked.set_result((message, descriptors))
            else:
                _close_all(descriptors)
            return
        task = self._loop.create_task(self._reply(message, descriptors))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reply(self, message: Message, descriptors: list[int]) -> None:
        try:
            body, fds = await self._handle(self, message, descriptors)
        except RouterTrouble as error:
            self._send(Message(id=message.id, error=error.message), ())
            return
        except Exception as error:
            self._send(Message(id=message.id, error=f'cannot do "{message.do}": {error!r}'), ())
            raise  # the loop logs it
        if message.id:
            self._send(Message(id=message.id, body=msgspec.Raw(msgspec.json.encode(body))), fds)


def _close_all(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def connect(folder: Path) -> socket.socket:
    """A connection to the router in this folder. Raises OSError when there is none."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with _short(folder) as path:
            sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def listen(folder: Path, name: str = SOCKET, mode: int = 0o600) -> socket.socket:
    """A socket for the router in this folder, in place of one that was there."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    with _short(folder, name) as path:
        fresh = f"{path}.new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        sock.bind(fresh)
        os.chmod(fresh, mode)
        sock.listen(64)
        os.replace(fresh, path)
    sock.setblocking(False)
    return sock


class _short:
    """A path for the socket that fits into its 107 bytes, however deep the folder lies."""

    def __init__(self, folder: Path, name: str = SOCKET) -> None:
        self._name = name
        self._folder = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    def __enter__(self) -> str:
        return f"/proc/self/fd/{self._folder}/{self._name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._folder)
