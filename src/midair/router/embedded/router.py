"""The embedded router as the engine sees it: starts the process, asks it, and starts it again when it dies."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from midair.errors import RouterTrouble
from midair.model.action import ReachReplicas, RouterAction
from midair.model.counters import Record
from midair.model.project import Port
from midair.router.base import RouterSeen
from midair.router.embedded.books import read_folder
from midair.router.embedded.held import Held
from midair.router.embedded.limits import Limits
from midair.router.embedded.spawn import Watched, start_process
from midair.router.embedded.wire import Message, Wire, connect

_AGAIN_FIRST_S, _AGAIN_MAX_S = 0.05, 5.0
_HELD_MOST_S = 10.0  # connections are let wait for a router that cannot be started
_HEALTHY_S = 5.0  # a router that lived this long did not die from being started


class EmbeddedRouter:
    """The router of one project, in the project's folder."""

    name = "embedded"

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder = folder
        self._limits = limits or Limits()
        self._wire: Wire | None = None
        self._knows_fronts: Wire | None = None
        self._wanted = False
        self._reaching = asyncio.Lock()
        self._nudges: list[Callable[[], None]] = []
        self._revival: asyncio.Task[None] | None = None
        self._deaths = 0
        self._reached_at = 0.0
        self._died_at: float | None = None  # on the monotonic clock, until another one is reached
        self._held = Held()
        self._holding = asyncio.Lock()  # while listeners change

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
        self._held.close()

    async def stop(self) -> None:
        """End it."""
        self._wanted = False
        async with self._reaching, self._holding:  # one that is being started is ended, too
            self._held.close()
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

    async def records(self) -> tuple[Record, ...]:
        """All that was counted, as its files say."""
        return await asyncio.to_thread(read_folder, self.folder)

    async def perform(self, action: RouterAction) -> None:
        """Ask for a new generation of routes, or name candidates."""
        wire = await self._reach()
        if isinstance(action, ReachReplicas):
            await wire.ask("reach", action, type(None))
            return
        if action.front:
            wire = await self._with_fronts(wire)
        if not self._held.is_other(action.service, action.ports):
            await wire.ask("perform", action, type(None))
            return
        async with self._holding:
            self._held.leave(action.service, action.ports)
            try:
                await wire.ask("perform", action, type(None))
            finally:
                await self._hold(wire)

    async def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on."""
        return await (await self._reach()).ask("check", ports, tuple[str, ...])

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` when routes settled, a draining replica became idle, or the router is back."""
        self._nudges.append(nudge)

    async def _with_fronts(self, wire: Wire) -> Wire:
        """A router that knows fronts: one that an older midair started is replaced, which nobody notices."""
        if self._knows_fronts is not wire:
            try:
                await wire.ask("fronts", None, bool)
            except RouterTrouble as error:
                if "does not know how" not in error.message:
                    raise
                await self.restart()
                wire = await self._reach()
            self._knows_fronts = wire
        return wire

    async def _reach(self) -> Wire:
        async with self._reaching:
            if self._wire is not None and not self._wire.closed:
                return self._wire
            return await self._find() or await self._start()

    async def _find(self) -> Wire | None:
        """The router that runs."""
        try:
            wire = self._connect()
        except OSError:
            return None
        await self._reached(wire)
        return None if wire.closed else wire  # one that is dying lets in, but never answers

    async def _start(self) -> Wire:
        """A new one, which goes on with what is held of the one before."""
        heritage = msgspec.json.encode(self._held.heritage(self._died_at)).decode()
        await start_process(self.folder, self._limits, "--heritage", heritage, descriptors=self._held.descriptors)
        wire = self._connect_started()
        await self._reached(wire)
        return wire

    async def _reached(self, wire: Wire) -> None:
        self._wire = wire
        async with self._holding:
            await self._hold(wire)
        if not wire.closed:
            self._reached_at, self._died_at = time.monotonic(), None

    async def _hold(self, wire: Wire) -> None:
        """Keep what it listens on, so that its death refuses nobody."""
        with contextlib.suppress(RouterTrouble):  # it is gone again, or older than this
            await self._held.take(wire)
        if not self._wanted:  # meanwhile it is let go of
            self._held.close()

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
        if not self._wanted or wire is not self._wire:
            return
        self._died_at = self._died_at or time.monotonic()
        if self._revival is None or self._revival.done():
            self._revival = asyncio.get_running_loop().create_task(self._revive())

    async def _revive(self) -> None:
        died_at = time.monotonic()
        self._deaths = 0 if died_at - self._reached_at > _HEALTHY_S else self._deaths + 1
        while self._wanted:
            if self._deaths:
                await asyncio.sleep(min(_AGAIN_FIRST_S * 2**self._deaths, _AGAIN_MAX_S))
            try:
                is_back = not (await self._reach()).closed
            except RouterTrouble:
                is_back = False
            if not is_back:
                self._deaths += 1
                if time.monotonic() - died_at > _HELD_MOST_S:
                    self._held.close()  # to be refused is better than to wait for nobody
                continue
            self._nudge()
            return
