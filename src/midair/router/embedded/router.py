"""The embedded router as the engine sees it: starts the process, asks it, and starts it again when it dies."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.project import Port
from midair.router.base import RouterSeen
from midair.router.embedded.limits import Limits
from midair.router.embedded.spawn import Watched, start_process
from midair.router.embedded.wire import Message, Wire, connect

_AGAIN_FIRST_S, _AGAIN_MAX_S = 0.05, 5.0
_HEALTHY_S = 5.0  # a router that lived this long did not die from being started


class EmbeddedRouter:
    """The router of one project, in the project's folder."""

    name = "embedded"

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self._limits = limits or Limits()
        self._wire: Wire | None = None
        self._wanted = False
        self._reaching = asyncio.Lock()
        self._nudges: list[Callable[[], None]] = []
        self._revival: asyncio.Task[None] | None = None
        self._deaths = 0
        self._reached_at = 0.0

    async def open(self) -> None:
        """Find the router that runs, or start one."""
        self._wanted = True
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._reach()

    async def close(self) -> None:
        """Let go of it; it goes on."""
        self._wanted = False
        if self._revival is not None:
            self._revival.cancel()
        if self._wire is not None:
            self._wire.close()

    async def stop(self) -> None:
        """End it."""
        self._wanted = False
        async with self._reaching:  # one that is being started is ended, too
            try:
                wire = Wire(connect(self.folder), self._hear, self._on_end)
            except OSError:
                return
            async with Watched(wire.sock) as process:
                with contextlib.suppress(RouterTrouble):  # it may be dying
                    await wire.ask("stop", None, type(None), timeout_s=self._limits.stop_s + 5)
                await process.ended()
            wire.close()

    async def restart(self) -> None:
        """Put a new process in the place of the running one. What is connected notices nothing."""
        await self._reach()
        async with self._reaching:
            await start_process(self.folder, self._limits, "--takeover")
            before, self._wire = self._wire, None
            if before is not None:
                before.close()
        await self._reach()

    async def observe(self) -> RouterSeen:
        """Routes in force, open requests and counts."""
        return await (await self._reach()).ask("observe", None, RouterSeen)

    async def perform(self, action: SetRoutes) -> None:
        """Ask for a new generation of routes."""
        await (await self._reach()).ask("perform", action, type(None))

    async def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on."""
        return await (await self._reach()).ask("check", ports, tuple[str, ...])

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` when routes settled, a draining replica became idle, or the router is back."""
        self._nudges.append(nudge)

    async def _reach(self) -> Wire:
        async with self._reaching:
            if self._wire is not None and not self._wire.closed:
                return self._wire
            try:
                self._wire = self._connect()
            except OSError:
                await start_process(self.folder, self._limits)
                self._wire = self._connect_started()
            self._reached_at = asyncio.get_running_loop().time()
            return self._wire

    def _connect(self) -> Wire:
        return Wire(connect(self.folder), self._hear, self._on_end)

    def _connect_started(self) -> Wire:
        try:
            return self._connect()
        except OSError as error:
            raise RouterTrouble(f"cannot reach the router: {(error.strerror or str(error)).lower()}") from error

    async def _hear(self, wire: Wire, message: Message, descriptors: list[int]) -> tuple[Any, tuple[int, ...]]:
        self._nudge()
        return None, ()

    def _nudge(self) -> None:
        for nudge in self._nudges:
            nudge()

    def _on_end(self, wire: Wire) -> None:
        """The process is gone, which its end of the socket tells at once."""
        if self._wanted and wire is self._wire and (self._revival is None or self._revival.done()):
            self._revival = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        loop = asyncio.get_running_loop()
        self._deaths = 0 if loop.time() - self._reached_at > _HEALTHY_S else self._deaths + 1
        while self._wanted:
            if self._deaths:
                await asyncio.sleep(min(_AGAIN_FIRST_S * 2**self._deaths, _AGAIN_MAX_S))
            try:
                await self._reach()
            except RouterTrouble:
                self._deaths += 1
                continue
            self._nudge()
            return
