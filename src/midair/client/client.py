"""What can be asked of the control plane, one method each. Blocking and light to import."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import msgspec

from midair import errors
from midair.client.calls import project_url
from midair.client.flags import FlagCalls
from midair.client.home import daemon_pid, default_home, has_daemon
from midair.client.transport import Transport, error_of
from midair.model.plan import Plan
from midair.model.project import Project
from midair.view.ask import (
    AskDown,
    AskPath,
    AskPlan,
    AskRename,
    AskRestart,
    AskScale,
    AskServiceRestart,
    AskSettings,
    AskUndo,
    AskUp,
    AskWish,
    PullPolicy,
    WishName,
)
from midair.view.change import ChangeView
from midair.view.counts import CountsView
from midair.view.daemon import BackupView, Done, Health
from midair.view.error import ErrorAnswer
from midair.view.event import EventView
from midair.view.log import LogLine
from midair.view.status import ProjectSummary, ProjectView

Ask = AskUp | AskUndo | AskScale | AskServiceRestart | AskDown
Stream = Iterator[tuple[str, bytes]]  # names and data of server-sent events
RESTART_S = 120.0  # for what is being accepted, and for the successor's start
STOP_S = 20.0  # for answers and actions under way
START_S = 10.0  # for a daemon that another caller is starting
RECONNECT_S = 30.0  # how long a followed stream looks for a daemon that went away


class Client(FlagCalls):
    """The control plane of one `MIDAIR_HOME`.

    Every method raises the `errors.Refused` that the control plane answered with, or `errors.Trouble`:
    `DaemonTrouble` when it cannot be reached.
    """

    def __init__(self, home: Path | None = None) -> None:
        self.home = home or default_home()
        super().__init__(Transport(self.home))

    # The daemon

    def ensure_daemon(self) -> Health:
        """Start the daemon in the background unless it answers already."""
        try:
            return self.health()
        except errors.DaemonTrouble:
            pass
        from midair.client.launch import launch  # subprocess, which a question to a running daemon need not import

        try:
            launch(self.home)
        except errors.DaemonTrouble as error:
            return self._other_daemon(error)
        return self.health()

    def health(self) -> Health:
        """Who answers, and whether it can work."""
        return self.get("/v1/health", Health)

    def daemon_stop(self) -> bool:
        """End the daemon, and wait until it has ended. Replicas and routers go on.

        False: another daemon took over at once, as systemd starts one that has ended.
        """
        before = daemon_pid(self.home)
        self.post("/v1/daemon/stop", None, Done)
        deadline = time.monotonic() + STOP_S
        while has_daemon(self.home):
            if daemon_pid(self.home) not in ("", before):
                return False
            if time.monotonic() > deadline:
                raise errors.DaemonTrouble(
                    "cannot stop the daemon: it does not end", hint=f"look into {self.home}/daemon.log"
                )
            time.sleep(0.01)
        return True

    def daemon_restart(self) -> Health:
        """Put a new process in the daemon's place: the midair that calls. Nothing is lost meanwhile.

        Returns when the successor answers. Raises DaemonTrouble when it cannot start, Conflict when code is being
        built that does not come to an end; the old one then goes on.
        """
        before = self.health()
        self.post("/v1/daemon/restart", AskRestart(sys.executable or ""), Done, timeout=RESTART_S)
        while (now := self.health()).pid == before.pid:
            time.sleep(0.02)
        return now

    def daemon_set(self, settings: dict[str, str]) -> Health:
        """Change settings of the daemon, in force at once."""
        return self.post("/v1/daemon/settings", AskSettings(settings), Health)

    def backup(self, path: Path) -> BackupView:
        """Write the whole state (database and releases) into one file."""
        return self.post("/v1/backup", AskPath(str(path.absolute())), BackupView, timeout=None)

    def restore(self, path: Path) -> BackupView:
        """Put the state of a backup in the place of the present one. What runs is then made equal to it."""
        return self.post("/v1/restore", AskPath(str(path.absolute())), BackupView, timeout=None)

    # Looking

    def projects(self) -> tuple[ProjectSummary, ...]:
        """All projects, by name."""
        return self.get("/v1/projects", tuple[ProjectSummary, ...])

    def status(self, project: str) -> ProjectView:
        """Services, revisions and replicas as they are now."""
        return self.get(project_url(project), ProjectView)

    def history(self, project: str) -> tuple[ChangeView, ...]:
        """All changes on record, the newest first."""
        return self.get(f"{project_url(project)}/changes", tuple[ChangeView, ...])

    def change(self, project: str, change: int) -> ChangeView:
        """One change."""
        return self.get(f"{project_url(project)}/changes/{change}", ChangeView)

    def counts(self, project: str) -> CountsView:
        """Requests as the router counted them."""
        return self.get(f"{project_url(project)}/counts", CountsView)

    def events(
        self, project: str | None = None, *, after: int | None = None, follow: bool = False
    ) -> Iterator[EventView]:
        """Events of one project or of all, oldest first.

        Args:
            after: only those with a higher number; None: with `follow` only what happens from now on, else all.
            follow: go on with events as they happen, over restarts of the daemon, until the caller stops iterating.
                Passing lines (kind "progress", number 0) are part of what is followed.
        """
        url = f"{project_url(project)}/events" if project else "/v1/events"
        last = after

        def connect() -> Stream:
            query = {"follow": "true"} if follow else {}
            if last is not None:
                query["after"] = str(last)
            return self.transport.stream("GET", f"{url}?{urlencode(query)}")

        for name, data in self._read(connect, follow=follow):
            if name == "here":  # where the stream begins: from here on nothing is missed
                last = int(data) if last is None else last
                continue
            event = msgspec.json.decode(data, type=EventView)
            last = event.number or last
            yield event

    def logs(
        self,
        project: str,
        service: str | None = None,
        *,
        replica: str | None = None,
        follow: bool = False,
        tail: int | None = None,
        since: float | None = None,
    ) -> Iterator[LogLine]:
        """What replicas printed, in order of time.

        Args:
            service: only this one's.
            replica: only this one's, by its id.
            follow: go on with lines as they are printed, over restarts of the daemon.
            tail: only the last so many lines from before; None: all that is kept.
            since: only lines printed from then on, in seconds since 1970.
        """
        left_off: dict[str, int] = {}  # by replica
        came = False

        def connect() -> Stream:
            given: dict[str, object] = {"service": service, "replica": replica, "tail": tail, "since": since}
            given |= {"follow": "true"} if follow else {}
            query = {name: str(value) for name, value in given.items() if value is not None}
            if left_off or came:
                query["after"] = msgspec.json.encode(left_off).decode()
            return self.transport.stream("GET", f"{project_url(project)}/logs?{urlencode(query)}")

        for name, data in self._read(connect, follow=follow):
            if name == "here":
                left_off.update(msgspec.json.decode(data, type=dict[str, int]))
                came = True
                continue
            line = msgspec.json.decode(data, type=LogLine)
            left_off[line.replica] = line.at
            yield line

    # Changing

    def plan(
        self, project: Project, *, services: tuple[str, ...] = (), name: str = "", applies: bool = False,
        build: bool = False, pull: PullPolicy = "",
    ) -> Plan:  # fmt: skip
        """What it would take to make what runs equal to `project`. Touches nothing.

        Args:
            services: only these and what they depend on; none given: all.
            name: what people call the project on record, when `project` has the key of one that was renamed.
            applies: it will be applied, so what is read now is what will run.
            build: images are built once more, on base images as their registries have them now.
            pull: in place of every `pull_policy` and `build.pull`.
        """
        # A plan compares digests: what secrets hold travels with the change alone.
        ask = AskPlan(msgspec.structs.replace(project, captured={}), services, applies, build, pull)
        return self.post(f"{project_url(name or project.name)}/plan", ask, Plan, timeout=None)

    def apply(
        self,
        project: Project,
        digest: str,
        *,
        confirmed: bool = False,
        services: tuple[str, ...] = (),
        by: str = "",
        why: str = "",
        name: str = "",
        progress: Callable[[EventView], None] | None = None,
        build: bool = False,
        pull: PullPolicy = "",
    ) -> ChangeView:
        """Carry out a plan. Returns when code is built and the change is stored; follow it with `events`.

        Args:
            digest: of the plan that was shown; raises Conflict when the plan would be another one now.
            confirmed: somebody said yes to the plan's confirmations; without it a plan that has any raises
                NeedsConfirmation.
            name: as for `plan`.
            progress: is called with each line that building prints.
            build, pull: as for the plan.
        """
        ask = AskUp(project, digest, confirmed, services, by, why=why, build=build, pull=pull)
        return self._accept(name or project.name, "changes", ask, progress)

    def undo_plan(self, project: str, change: int | None = None) -> Plan:
        """What it would take to go to the state before `change`; None: before the last one not undone yet."""
        return self.post(f"{project_url(project)}/undo-plan", AskUndo(change), Plan, timeout=None)

    def undo(
        self,
        project: str,
        change: int | None = None,
        *,
        digest: str | None = None,
        confirmed: bool = False,
        by: str = "",
        why: str = "",
        progress: Callable[[EventView], None] | None = None,
    ) -> ChangeView:
        """Go to the state before `change`. As `apply`; no digest: whatever it takes.

        As with `scale` and `down`: where nothing is different there, the answer is the change that led there, which
        has ended, or leads there.
        """
        ask = AskUndo(change=change, digest=digest, confirmed=confirmed, by=by, why=why)
        return self._accept(project, "undo", ask, progress)

    def restart_plan(self, project: str, services: tuple[str, ...] = ()) -> Plan:
        """What a restart of these services would do; none: of all that have not completed their work."""
        return self.post(f"{project_url(project)}/restart-plan", AskServiceRestart(services), Plan, timeout=None)

    def restart(
        self, project: str, services: tuple[str, ...] = (), *, digest: str | None = None, confirmed: bool = False,
        by: str = "", why: str = "",
    ) -> ChangeView:  # fmt: skip
        """Replace every replica of services by one of the same revision. As `undo`; no digest: whatever it takes."""
        ask = AskServiceRestart(services, digest, confirmed, by, why=why)
        return self._accept(project, "restart", ask)

    def scale(self, project: str, replicas: dict[str, int], *, by: str = "", why: str = "") -> ChangeView:
        """Change replica counts, by service. A change like any other."""
        return self._accept(project, "scale", AskScale(replicas, by, why=why))

    def down(self, project: str, *, by: str = "", why: str = "") -> ChangeView:
        """Drain and stop everything of a project, then its router. The history stays."""
        return self._accept(project, "down", AskDown(by, why=why))

    def forget(self, project: str) -> tuple[str, ...]:
        """Remove all that is on record of a project: history, releases, logs. Raises Conflict while it runs.

        Returns a line for each thing that was removed beside, such as a volume.
        """
        return self.post(f"{project_url(project)}/forget", None, Done).removed

    def rename(self, project: str, name: str, *, by: str = "") -> ProjectSummary:
        """Call a project otherwise, at once. Raises Conflict when another one has the name."""
        return self.post(f"{project_url(project)}/rename", AskRename(name, by), ProjectSummary)

    def wish(self, project: str, service: str, wish: WishName) -> None:
        """Steer the rollout of a service: pause, resume, promote, abort; or hold and release its requests."""
        self.post(f"{project_url(project)}/services/{quote(service, safe='')}/wish", AskWish(wish), Done)

    def router_restart(self, project: str) -> None:
        """Put a new router process, of the version installed now, in the place of the running one."""
        self.post(f"{project_url(project)}/router/restart", None, Done)

    # How

    def _accept(
        self,
        project: str,
        what: str,
        ask: Ask,
        progress: Callable[[EventView], None] | None = None,
    ) -> ChangeView:
        url = f"{project_url(project)}/{what}"
        ask = msgspec.structs.replace(ask, token=os.urandom(8).hex())
        try:
            for name, data in self.transport.stream("POST", url, msgspec.json.encode(ask)):
                if name == "accepted":
                    return msgspec.json.decode(data, type=ChangeView)
                if name == "error":
                    raise error_of(msgspec.json.decode(data, type=ErrorAnswer).error)
                if name == "progress" and progress is not None:
                    progress(msgspec.json.decode(data, type=EventView))
        except ConnectionError:
            pass
        return self._accepted_after_all(project, ask)

    def _accepted_after_all(self, project: str, ask: Ask) -> ChangeView:
        """The change of an answer that never came: the daemon went away, and may have stored the change before."""
        self.ensure_daemon()
        try:
            history = self.history(project)
        except errors.NotFound:
            history = ()
        for change in history:
            if change.token == ask.token:
                return change
        raise errors.DaemonTrouble("cannot change anything: the daemon went away before it agreed", hint="do it again")

    def _read(self, connect: Callable[[], Stream], *, follow: bool) -> Stream:
        """(name, data) of a stream; with `follow` it goes on over restarts of the daemon, until it says goodbye."""
        began = False
        while True:
            try:
                for name, data in connect():
                    began = True
                    if name == "bye":
                        return
                    yield name, data
            except ConnectionError as error:
                if not follow:
                    raise errors.DaemonTrouble("cannot read on: the daemon went away", hint="do it again") from error
            except errors.DaemonTrouble:
                if not (follow and began):
                    raise
            if not follow:
                return
            self._await_daemon()

    def _other_daemon(self, error: errors.DaemonTrouble) -> Health:
        """The daemon that somebody else started at the same time. Raises `error` when there is none."""
        deadline = time.monotonic() + START_S
        while has_daemon(self.home) and time.monotonic() < deadline:
            try:
                return self.health()
            except errors.DaemonTrouble:
                time.sleep(0.05)
        raise error

    def _await_daemon(self) -> None:
        """Wait for a daemon that was restarted; start one if none comes, so that its work goes on."""
        deadline = time.monotonic() + RECONNECT_S
        while True:
            try:
                self.ensure_daemon()
                return
            except errors.DaemonTrouble:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
