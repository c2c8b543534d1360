"""Where the demo plays: a temporary folder with a project in it, a daemon of its own, and its changes."""

import http.client
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from midair import errors
from midair.cli.feed import Feed
from midair.cli.load import load_project
from midair.client import Client
from midair.demo.scenery import APP, Scenery
from midair.model.plan import Plan
from midair.model.project import Project
from midair.view.ask import AskFlag
from midair.view.change import ChangeView
from midair.view.status import ProjectView

PROJECT = "demo"
PATIENCE_S = 60.0


class Left(Exception):
    """The person at the keyboard has had enough."""


class Stage:
    """A project that can be edited and changed. Its methods block; `leave` ends them soon."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="midair-demo-"))
        self.home = self.folder / "state"
        self.client = Client(self.home)
        self.ports = _free_ports(3)
        self.scenery = Scenery()
        self.plan = Plan(PROJECT)
        self.asked = 0  # requests made by `share`
        self._feed: Feed | None = None
        self._leaving = threading.Event()
        self._pids: set[int] = set()
        for name in ("web", "api", "ledger"):
            (self.folder / name).mkdir()
            shutil.copy(APP, self.folder / name / "app.py")
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"

    def up(self, midway: Callable[[], None] | None = None) -> ChangeView:
        """Carry out what the files say, as `midair up` does. `midway` is called when the change has got going."""
        project = self._load()
        self.client.ensure_daemon()
        self.plan = self.client.plan(project)
        return self._follow(self.client.apply(project, self.plan.digest, confirmed=True, by="demo"), midway)

    def undo(self) -> ChangeView:
        """Back to the state before the last change."""
        self.plan = self.client.undo_plan(PROJECT)
        return self._follow(self.client.undo(PROJECT, confirmed=True, by="demo"))

    def scale(self, replicas: int) -> ChangeView:
        """Another number of replicas of web."""
        self.plan = Plan(PROJECT)
        return self._follow(self.client.scale(PROJECT, {"web": replicas}, by="demo"))

    def flag(self, ask: AskFlag) -> ChangeView:
        """Change a flag, as `midair flag` does."""
        accepted = self.client.flag(PROJECT, ask)
        self.plan = Plan(PROJECT, flags=(accepted.summary,))
        return self._follow(accepted)

    def share(self, users: int = 100) -> float:
        """The percentage of users who are shown the new button by web, asked over its published port."""
        shown = 0
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=10)
        for user in range(users):
            connection.request("GET", f"/button?user=user-{user}")
            shown += connection.getresponse().read() == b"new"
            self.asked += 1
        connection.close()
        return 100 * shown / users

    def kill_daemon(self) -> None:
        """kill -9 of the control plane."""
        os.kill(self.client.health().pid, signal.SIGKILL)

    def restart_router(self) -> None:
        """A new router process takes the place of the running one."""
        self.client.router_restart(PROJECT)

    def look(self) -> ProjectView | None:
        """The project as it is now, or None while nobody can say."""
        try:
            seen = self.client.status(PROJECT)
        except errors.MidairError:
            return None
        self._remember(seen)
        return seen

    def edit(self, service: str, before: str, after: str) -> None:
        """Replace text in a service's code."""
        path = self.folder / service / "app.py"
        text = path.read_text()
        assert before in text, f"the demo's app has no {before!r}"
        path.write_text(text.replace(before, after, 1))

    def leave(self) -> None:
        """End whatever is going on."""
        self._leaving.set()

    def close(self) -> None:
        """End everything that was started, and take the folder away."""
        self.look()
        try:
            self._remember_daemon()
            self._leaving.clear()
            self._follow(self.client.down(PROJECT, by="demo"))
        except (errors.MidairError, Left):
            pass
        try:
            self.client.daemon_stop()
        except errors.MidairError:
            pass
        self._end_all()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _load(self) -> Project:
        compose = self.folder / "compose.yaml"
        compose.write_text(self.scenery.compose(*self.ports))
        return load_project(files=(str(compose),), project_name=PROJECT)

    def _follow(self, change: ChangeView, midway: Callable[[], None] | None = None) -> ChangeView:
        """Wait for the end of a change."""
        # One for all changes: a feed brings a daemon that was killed back, and one is enough to do that.
        feed = self._feed = self._feed or Feed(self.client, PROJECT, change.first_event - 1)
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self._leaving.is_set():
                raise Left
            event = feed.next(0.2)
            if event is None or event.change != change.id:
                continue
            if midway is not None and event.kind == "replica-ready":
                midway()
                midway = None
            if event.kind == "change-ended":
                return self.client.change(PROJECT, change.id)
        raise errors.Trouble(f"cannot see the end of change {change.id} after {PATIENCE_S:g} s")

    def _remember(self, seen: ProjectView) -> None:
        """Keep the process ids, to end what is left even if the control plane is gone."""
        replicas = (each for service in seen.services for revision in service.revisions for each in revision.replicas)
        self._pids = {each.pid for each in replicas if each.pid}
        if seen.router is not None:
            self._pids.add(seen.router.pid)

    def _remember_daemon(self) -> None:
        self._pids.add(self.client.health().pid)

    def _end_all(self) -> None:
        deadline = time.monotonic() + 3
        while any(self._is_ours(pid) for pid in self._pids) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self._pids:
            if self._is_ours(pid):
                os.kill(pid, signal.SIGKILL)

    def _is_ours(self, pid: int) -> bool:
        """Whether the process still is one of the demo's, and not another one that got its number."""
        try:
            about = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            return str(self.folder).encode() in about + os.fsencode(os.readlink(f"/proc/{pid}/cwd"))
        except OSError:
            return False


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
