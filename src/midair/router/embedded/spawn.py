"""Starts router processes, in a session of their own, and waits for their end."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import msgspec

from midair.errors import RouterTrouble
from midair.router.embedded.limits import Limits

LOG = "router.log"
_START_S = 15.0
_END_S = 15.0
_children: set[subprocess.Popen[bytes]] = set()  # so that none stays a zombie


async def start_process(folder: Path, limits: Limits, *options: str, descriptors: tuple[int, ...] = ()) -> None:
    """Start a router and wait until it listens. It inherits the descriptors. Raises RouterTrouble."""
    reap()
    ready, theirs = os.pipe()
    command = [
        sys.executable, "-m", "midair.router.embedded", str(folder),
        "--ready", str(theirs), "--limits", msgspec.json.encode(limits).decode(), *options,
    ]  # fmt: skip
    try:
        log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(  # noqa: ASYNC220 - returns at once
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(theirs, *descriptors),
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(log)
            os.close(theirs)
        _children.add(child)
        if not await _is_readable(ready, _START_S) or not os.read(ready, 16):
            raise RouterTrouble(f'cannot start the router: see "{folder / LOG}"')
    except OSError as error:
        raise RouterTrouble(f"cannot start the router: {error}") from error
    finally:
        os.close(ready)


def reap() -> None:
    """Take note of the ends of routers that this process started."""
    for child in tuple(_children):
        if child.poll() is not None:
            _children.discard(child)


class Watched:
    """The process at the other end of a Unix socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.pid, _, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))

    async def __aenter__(self) -> "Watched":
        self._descriptor = os.pidfd_open(self.pid)
        return self

    async def __aexit__(self, *_: object) -> None:
        os.close(self._descriptor)

    async def ended(self) -> None:
        """Wait for its end. Raises RouterTrouble when it does not come."""
        if not await _is_readable(self._descriptor, _END_S):
            raise RouterTrouble(f'cannot stop the router: process "{self.pid}" does not end')
        reap()


async def _is_readable(descriptor: int, timeout_s: float) -> bool:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        async with asyncio.timeout(timeout_s):
            await readable.wait()
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True
