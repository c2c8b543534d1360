"""Serves the flags of all projects: on sockets of their own, which give no power over midair, and by TCP.

Where it listens by TCP, and for whom, is in the daemon's settings: flags.listen, flags.sync, flags.tokens.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette

from midair.daemon.server import BACKLOG, Server, listen_here
from midair.errors import DaemonTrouble
from midair.flags.definition import FlagSet
from midair.flags.read import build
from midair.flagserver.access import Access, Only
from midair.flagserver.hub import Hub
from midair.flagserver.routes import routes

if TYPE_CHECKING:
    from midair.flagserver.sync import SyncServer

log = logging.getLogger(__name__)
_TOKENS_HINT = 'write lines of a token and a project, or "*"'
SOCKET = "flags.sock"
INSIDE = "inside"  # a folder of each project that its containers get to see, and in it a door to that project's flags


class FlagService:
    """One hub for all projects, and the doors to it."""

    def __init__(self, home: Path, settings: Mapping[str, str] | None = None) -> None:
        """Raises DaemonTrouble for tokens that cannot be read."""
        self.hub = Hub()
        self._home, self._settings = home, dict(settings or {})
        self._access = self._for(Access(read_tokens(self._settings.get("flags.tokens", ""))))
        self._listening: Server | None = None
        self._servers: dict[Server, asyncio.Task[None]] = {}
        # The server of each project's own socket.
        self._inside: dict[str, Server | None] = {}
        self._sync: SyncServer | None = None

    def rename(self, project: str, name: str) -> None:
        """People call a project so from now on. Clients and tokens may name it by either name."""
        self.hub.alias(project, name)

    def _for(self, access: Access) -> Access:
        access.key = lambda name: self.hub.aliases.get(name, name)
        access.shown = self.hub.shown
        return access

    def tell(self, project: str, document: dict[str, Any] | None) -> None:
        """These flags are in force now; None: the project was forgotten."""
        if document is None:
            self._end_inside(project)
            self.hub.withdraw(project)
            return
        self.hub.publish(project, build(document) if document else FlagSet())
        path = self._home / "projects" / project / INSIDE / SOCKET
        # The folder of a project may have been removed and made again.
        if project not in self._inside or not path.exists():
            self._end_inside(project)
            self._inside[project] = self._serve(str(path), partial(_listen_inside, path), Only(project))

    def _end_inside(self, project: str) -> None:
        server = self._inside.pop(project, None)
        if server is not None:
            server.ended.set()
            self._servers[server].add_done_callback(lambda _: self._servers.pop(server, None))

    async def open(self) -> None:
        """Listen on the socket for those on this machine, and by TCP where the settings say so.

        A place that is taken ends nothing else.
        """
        self._serve(str(self._home / SOCKET), partial(listen_here, self._home / SOCKET), self._for(Access()))
        if place := self._settings.get("flags.listen"):
            self._listening = self._serve(place, partial(_listen, place), self._access)
        if place := self._settings.get("flags.sync"):
            try:
                self._sync = await self._start_sync(place)
            except DaemonTrouble as error:
                log.error("%s", error.message)

    async def change(self, after: Mapping[str, str]) -> None:
        """Serve where the settings say now. Raises DaemonTrouble, and then everything is as before."""
        tokens = read_tokens(after.get("flags.tokens", ""))
        before, listener, sync = self._settings, None, None
        listens, syncs = ((before.get(key, ""), after.get(key, "")) for key in ("flags.listen", "flags.sync"))
        try:
            if listens[1] and listens[0] != listens[1]:
                listener = _listen(listens[1])
            if syncs[1] and syncs[0] != syncs[1]:
                sync = await self._start_sync(syncs[1])
        except (OSError, DaemonTrouble) as error:
            if listener is not None:
                listener.close()
            if isinstance(error, DaemonTrouble):
                raise
            reason = (error.strerror or str(error)).lower()
            raise DaemonTrouble(f"cannot serve flags on {listens[1]}: {reason}") from error
        self._settings, self._access.tokens = dict(after), tokens
        if listens[0] != listens[1]:
            if self._listening is not None:
                self._listening.ended.set()
                await asyncio.wait([self._servers.pop(self._listening)])
            self._listening = None if listener is None else self._serve(listens[1], lambda: listener, self._access)
        if syncs[0] != syncs[1]:
            if self._sync is not None:
                await self._sync.stop()
            self._sync = sync

    async def close(self) -> None:
        """Let all clients go; they come back to whoever serves next, and evaluate meanwhile with what they have."""
        self.hub.close()
        for server in self._servers:
            server.ended.set()
        await asyncio.gather(*self._servers.values(), return_exceptions=True)
        if self._sync is not None:
            await self._sync.stop()

    async def _start_sync(self, place: str) -> "SyncServer":
        try:
            from midair.flagserver.sync import SyncServer

            sync = SyncServer(self.hub, self._access)
            await sync.start(place)
        except ImportError as error:
            raise DaemonTrouble(
                f"cannot serve flagd.sync.v1 on {place}: {error}", hint="run pip install 'midair[flagd]'"
            ) from error
        except RuntimeError as error:
            raise DaemonTrouble(f"cannot serve flagd.sync.v1 on {place}: {error}") from error
        log.info("flagd.sync.v1 is served on %s", place)
        return sync

    def _serve(self, place: str, listen: Callable[[], socket.socket], access: Access) -> Server | None:
        try:
            listener = listen()
        except (OSError, ValueError) as error:
            log.error("cannot serve flags on %s: %s", place, error)
            return None
        app = Starlette(routes=list(routes(self.hub, access)))
        config = uvicorn.Config(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        server = Server(config)
        self._servers[server] = asyncio.create_task(server.serve(sockets=[listener]))
        log.info("flags are served on %s", place)
        return server


def _listen_inside(path: Path) -> socket.socket:
    """For whatever user a container runs as. On this machine nobody else can enter the folders above."""
    inside = path.parent
    for folder in (inside.parent.parent, inside.parent, inside):
        folder.mkdir(mode=0o700, exist_ok=True)
    inside.chmod(0o755)
    listener = listen_here(path)
    path.chmod(0o666)
    return listener


def _listen(place: str) -> socket.socket:
    host, _, port = place.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # a successor listens before this daemon ends
    listener.bind((host.strip("[]") or "127.0.0.1", int(port)))
    listener.listen(BACKLOG)
    return listener


def read_tokens(path: str) -> dict[str, str]:
    """Who may read which project's flags by TCP. Raises DaemonTrouble."""
    if not path:
        return {}
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "not UTF-8 text").lower()
        raise DaemonTrouble(f'cannot read tokens from "{path}": {reason}', hint=_TOKENS_HINT) from error
    tokens: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if words and len(words) != 2:
            message = f'cannot read tokens from "{path}": line {number} has {len(words)} words instead of 2'
            raise DaemonTrouble(message, hint=_TOKENS_HINT)
        if words:
            tokens[words[0]] = words[1]
    return tokens
