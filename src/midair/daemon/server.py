"""What the API and the flags are served with: a Unix socket for this user alone, and uvicorn without habits of its own.

Knows nothing of what is served.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from midair.client.home import short_path

BACKLOG = 1024


def listen_here(path: Path) -> socket.socket:
    """A socket at `path` for programs of this user. It takes the name over from whoever had it."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        with short_path(path) as short:
            listener.bind(short)
    finally:
        os.umask(before)
    listener.listen(BACKLOG)
    return listener


class Server(uvicorn.Server):
    """uvicorn without its own ideas about signals, and without waking up ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ended = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.ended.wait()
