"""Runs the daemon: takes the folder, opens the state, answers, and ends in order."""

import asyncio
import logging
import os
import signal
import socket
from pathlib import Path

import uvicorn
import uvloop

from midair import __version__
from midair.api.app import make_app
from midair.client.home import LOCK, SOCKET
from midair.daemon import settings as options
from midair.daemon import systemd
from midair.daemon.flags import FlagService
from midair.daemon.handover import Inherited, Report, Successor, start_successor
from midair.daemon.home import take_home
from midair.daemon.lock import sign, take_lock
from midair.daemon.log import set_up_log
from midair.daemon.server import Server, listen_here
from midair.daemon.signals import keep_to_oneself
from midair.engine.clock import Clock
from midair.engine.engine import Engine
from midair.engine.fatal import VARIABLE, Fatal
from midair.errors import Conflict, DaemonTrouble
from midair.router.embedded.router import EmbeddedRouter
from midair.runtime.registry import make_runtime
from midair.store import Reserve, Store

log = logging.getLogger(__name__)
LAST_ANSWERS_S = 5.0  # for answers under way when the daemon ends
ACCEPTING_S = 20.0  # for code that is being built before a restart


def serve(home: Path, report: Report, inherited: Inherited | None, *, foreground: bool, wait: bool = False) -> None:
    """Be the daemon of `home` until told to end. `wait`: until another daemon of this home has ended."""
    take_home(home)
    try:
        set_up_log(home, foreground=foreground)
    except OSError as error:
        raise DaemonTrouble(f'cannot use the folder "{home}": {error.strerror}') from error
    settings = options.read(home)
    if adopted := options.adopted(settings, os.environ):
        settings |= adopted
    flags = FlagService(home, settings)
    reserve = None
    if inherited is None:
        if wait:
            systemd.notify("READY=1", "STATUS=waits while another daemon serves this folder")
        lock, listener = take_lock(home, wait=wait), listen_here(home / SOCKET)
    else:
        lock, listener = inherited.lock, socket.socket(fileno=inherited.socket)
        reserve = Reserve(home)  # what could go wrong goes wrong before the predecessor ends
        report.ready()
        if not inherited.await_go():
            return
        systemd.notify(f"MAINPID={os.getpid()}")
        sign(lock)
    store = Store(home, around_commit=(fatal := Fatal(os.environ.get(VARIABLE))))
    if reserve is not None:
        reserve.close()
    if adopted:
        options.write(home, settings)
        log.info("%s taken over from the environment, once", ", ".join(adopted))
    for key in options.open_addresses(settings):
        log.warning("%s: others than this machine reach %s, and no tokens are set", key, settings[key])
    uvloop.run(_Daemon(home, lock, listener, settings).run(report, store, flags, fatal))


class _Daemon:
    """One running daemon, and what its API may do with it."""

    def __init__(self, home: Path, lock: int, listener: socket.socket, settings: dict[str, str]) -> None:
        self._home, self._lock, self._listener = home, lock, listener
        self.settings = settings
        self._successor: Successor | None = None
        self._restarting = False
        self._server: Server | None = None
        self._engine: Engine | None = None
        self._flags: FlagService | None = None

    async def run(self, report: Report, store: Store, flags: FlagService, fatal: Fatal) -> None:
        clock = Clock(store.meta.moment())
        engine = self._engine = Engine(
            self._home,
            store,
            clock,
            make_runtime=lambda name, project: make_runtime(name, project, self._home, clock),
            make_router=lambda project: EmbeddedRouter(self._home / "projects" / project),
            around=fatal,
            tell_flags=flags.tell,
            tell_name=flags.rename,
        )
        engine.flags.counted = flags.hub.report
        self._flags = flags
        config = uvicorn.Config(
            make_app(engine, self),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=int(LAST_ANSWERS_S),
        )
        self._server = server = Server(config)
        keep_to_oneself()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        try:
            await engine.open()
            await flags.open()
            log.info("midair %s begins, pid %d", __version__, os.getpid())
            report.ready()
            systemd.notify("READY=1", f"MAINPID={os.getpid()}", f"STATUS=midair {__version__}")
            await server.serve(sockets=[self._keep(self._listener)])
        finally:
            await flags.close()
            await engine.close()
            store.close()
            log.info("midair ends, pid %d", os.getpid())
            if self._successor is not None:
                self._successor.go()
                if systemd.is_supervised():
                    systemd.await_signature(self._home / LOCK)

    def stop(self) -> None:
        """End, after the answers under way."""
        self._end(comes_again=False)

    async def restart(self, python: str) -> None:
        """Make a successor, run by this interpreter if one is named, and end for it."""
        assert self._engine is not None, "it runs"
        assert self._server is not None, "it runs"
        if self._restarting or self._server.ended.is_set():
            raise Conflict("cannot restart the daemon: it is being restarted, or ends", hint="try it again")
        self._restarting = True
        try:
            await self._engine.await_accepted(ACCEPTING_S)
            successor = await start_successor(self._home, self._listener.fileno(), self._lock, python)
            try:
                await self._engine.await_accepted(ACCEPTING_S)  # what was begun meanwhile
                if self._server.ended.is_set():
                    raise Conflict("cannot restart the daemon: it was stopped meanwhile")
            except BaseException:
                successor.dismiss()
                raise
            self._successor = successor
        finally:
            self._restarting = False
        log.info("a successor takes over")
        self._end(comes_again=True)

    async def change_settings(self, wanted: dict[str, str]) -> None:
        """Put these settings in force, and keep them. Raises UsageRefused or DaemonTrouble; then nothing changes."""
        assert self._flags is not None, "it runs"
        after = options.changed(self.settings, wanted)
        before = self.settings
        options.write(self._home, after)
        try:
            await self._flags.change(after)
        except BaseException:
            options.write(self._home, before)
            raise
        self.settings = after

    def _end(self, *, comes_again: bool) -> None:
        assert self._engine is not None, "it runs"
        assert self._server is not None, "it runs"
        self._engine.bus.close(comes_again=comes_again)
        if self._flags is not None:
            self._flags.hub.close()
        self._server.ended.set()

    def _keep(self, listener: socket.socket) -> socket.socket:
        """A second name for the socket: the server closes its own, and the successor still gets connections."""
        return listener.dup()
