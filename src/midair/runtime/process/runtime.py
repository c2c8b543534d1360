"""The replicas of one project as plain processes."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from midair.errors import RuntimeTrouble
from midair.model.action import FrontAction, RemoveReplica, RuntimeAction, StartReplica, StopReplica
from midair.model.command import Command
from midair.model.ids import ReplicaId, service_of
from midair.model.moment import Moment
from midair.model.plan import Written
from midair.model.project import Names, Project, Revision, Service
from midair.model.seen import FrontSeen, ReplicaSeen
from midair.runtime.base import CommandSession, Progress
from midair.runtime.process import belongings, check, logs, record, translate, written
from midair.runtime.process.layout import Layout, replica_of_log
from midair.runtime.process.leftover import kill_strays
from midair.runtime.process.links import make_links
from midair.runtime.process.ports import free_port
from midair.runtime.process.record import FILE, Record
from midair.runtime.process.release import Releases
from midair.runtime.process.replica import Replica, Surroundings
from midair.runtime.process.sessions import Sessions
from midair.runtime.process.thread import to_its_end
from midair.runtime.process.user import find_user

_LOG_LOOK_S = 10.0  # between two looks at the sizes of logs


_NONE: Mapping[str, bytes] = {}


class ProcessRuntime:
    """Runs replicas as processes that need nobody: see `replica` for one, `spawn` for how they begin."""

    name = "process"

    def __init__(self, project: str, home: Path, clock: Callable[[], Moment]) -> None:
        self._layout = Layout(home.absolute(), project)
        self._clock = clock
        self._replicas: dict[ReplicaId, Replica] = {}
        self._nudges: list[Callable[[], None]] = []
        self._around = Surroundings(self._layout, clock, self._changed)
        self._releases = Releases(self._layout)
        self._sessions = Sessions(self._layout, clock)
        self._linking = asyncio.Lock()  # replicas of one release may start together
        self._log_keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Adopt what is still running from before, and end what nobody knows any more."""
        try:
            self._layout.make()
        except OSError as error:
            raise RuntimeTrouble(f'cannot open project "{self._layout.project}": {error}') from error
        await asyncio.to_thread(kill_strays, self._is_command)  # hooks, probes and builds of a daemon that was killed
        await asyncio.to_thread(self._releases.tidy)
        for known in self._records():
            self._replicas[known.id] = Replica(self._around, known)
        await asyncio.gather(*(replica.adopt() for replica in self._replicas.values()))
        await asyncio.to_thread(kill_strays, self._is_stray)
        self._log_keeper = asyncio.create_task(self._keep_logs())

    async def close(self) -> None:
        """Let go of everything without stopping any replica."""
        if self._log_keeper is not None:
            self._log_keeper.cancel()
            await asyncio.gather(self._log_keeper, return_exceptions=True)
        await self._sessions.close()
        for replica in self._replicas.values():
            replica.let_go()
        await asyncio.gather(*(replica.settle() for replica in self._replicas.values()))

    async def arrange(self, project: Project) -> dict[str, Names]:
        """Nothing: processes share nothing, and reach each other through published ports."""
        return {}

    def in_force(self, project: Project) -> None:
        """Nothing: a process has all that it needs in its record."""

    async def observe(self) -> tuple[ReplicaSeen, ...]:
        """Every replica on record."""
        return tuple(translate.seen(replica.record) for replica in self._replicas.values())

    async def observe_fronts(self) -> tuple[FrontSeen, ...]:
        """None: names lead elsewhere here."""
        return ()

    async def perform_front(self, action: FrontAction) -> None:
        """Services have no fronts here."""

    async def perform(self, action: RuntimeAction, revision: Revision | None) -> None:
        """Carry out an action, or begin to."""
        known = self._replicas.get(action.replica)
        if isinstance(action, StartReplica):
            await self._link(action, revision, known)
            self._start(action, revision, self._replicas.get(action.replica))
        elif known is not None and isinstance(action, StopReplica):
            known.stop(action.signal, action.grace_s)
        elif known is not None and isinstance(action, RemoveReplica):
            self._remove(known)

    async def exec(self, replica: ReplicaId, command: Command) -> CommandSession:
        """Run a command with what a replica has. It ends with the replica."""
        known = self._replicas.get(replica)
        if known is None or known.record.state == "exited":
            raise RuntimeTrouble(f'cannot run a command in replica "{replica}": it has ended')
        return self._sessions.exec(known, command)

    async def run(self, revision: Revision, command: Command, *, publish: bool) -> CommandSession:
        """Run one more process of a revision, which has no record."""
        if revision.service.links:
            await self._make_links(revision)
        taken = {replica.record.port for replica in self._replicas.values()}
        return self._sessions.run(revision, command, taken, publish=publish)

    async def adapt(self, revision: Revision) -> None:
        """Let the replicas of a revision take what may differ while its id stays."""
        for replica in self._replicas.values():
            if (service_of(replica.record.id), replica.record.revision.id) == (revision.service.name, revision.id):
                replica.adapt(translate.slim(revision))

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` whenever a replica's state has changed."""
        self._nudges.append(nudge)

    async def fingerprint(
        self, service: Service, known: Revision | None = None, *, keep: bool = False, builds: bool = False
    ) -> str | None:
        """Content id of the code in the service's build directory."""
        return await self._releases.fingerprint(service, keep=keep)

    async def bases(self, release: str) -> Mapping[str, str]:
        """None: a release stands on the machine's own programs."""
        return {}

    async def prepare(
        self, service: Service, progress: Progress, shell: Mapping[str, str] | None = None, *,
        release: str | None = None, contents: Mapping[str, bytes] = _NONE,
    ) -> str | None:  # fmt: skip
        """Make the release of the service's build directory as it is now."""
        return await self._releases.prepare(service, progress, shell, release)

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """Make the release again where it was removed and the build directory is as it was then."""
        return await self._releases.fetch(revision, progress)

    async def forget(self) -> tuple[str, ...]:
        """Everything is in the project's folder, and goes with that."""
        return tuple(f"removed {line}" for line in await self.belongings())

    async def written(self, release: str) -> Written:
        """Files that were written into a release since it was made."""
        return await to_its_end(written.look, self._layout, release)

    async def belongings(self) -> tuple[str, ...]:
        """What is shared, named volumes, and what was written into releases, also into those that are no more."""
        return await to_its_end(belongings.lines, self._layout)

    async def prune(self, keep: set[str]) -> None:
        """Delete releases that are not in `keep`. What a replica on record runs in is kept as well."""
        used = {replica.record.revision.release for replica in self._replicas.values()} | self._sessions.releases()
        await self._releases.prune(keep | {release for release in used if release})

    async def check(self, service: Service, shell: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Reasons why the service could not be started here."""
        return await asyncio.to_thread(check.reasons, service, shell)

    async def unsupported(self, service: Service) -> tuple[str, ...]:
        """Nothing that the plan does not know: a machine is like any other here."""
        return ()

    async def advise(self, service: Service, release: str | None) -> tuple[str, ...]:
        """Nothing that the plan does not know."""
        return ()

    def log_files(self, service: str) -> tuple[tuple[str, str], ...]:
        """Logs of the replicas on record, oldest first, after those that are gone since a moment ago.

        So the last words of a replica that failed can still be read. All that are gone, when none is on record.
        """
        records = sorted((replica.record for replica in self._replicas.values()), key=lambda known: known.made_at)
        paths = [self._layout.log(known.id) for known in records if service_of(known.id) == service]
        paths = [*logs.of_the_gone(self._layout.logs / service, set(paths), lately=bool(paths)), *paths]
        return tuple((replica_of_log(path), str(path)) for path in paths if path.exists())

    def container_logs(self, service: str) -> tuple[()]:
        """None."""
        return ()

    async def _link(self, action: StartReplica, revision: Revision | None, known: Replica | None) -> None:
        """Have the links of its revision in the release before a replica starts there."""
        if revision is None or not revision.service.links or (known and known.record.attempt >= action.attempt):
            return
        await self._make_links(revision)

    async def _make_links(self, revision: Revision) -> None:
        living = [replica.record.revision for replica in self._replicas.values() if replica.record.state != "exited"]
        in_use = {running.release for running in living if running.release}
        async with self._linking:
            await to_its_end(make_links, self._layout, revision, find_user(revision.service.user), in_use)

    def _start(self, action: StartReplica, revision: Revision | None, known: Replica | None) -> None:
        before = known.record if known is not None else None
        if before is not None and before.attempt >= action.attempt:
            return
        if before is not None and before.state != "exited":
            raise RuntimeTrouble(f'cannot start replica "{action.replica}" again: it is still running')
        if revision is None:
            raise RuntimeTrouble(f'cannot start replica "{action.replica}": its revision is not known')
        now = self._clock()
        begun = Record(
            id=action.replica,
            revision=translate.slim(revision),
            attempt=action.attempt,
            port=free_port({replica.record.port for replica in self._replicas.values()}),
            state="starting",
            since=now,
            made_at=before.made_at if before is not None else now,
        )
        replica = Replica(self._around, begun)
        replica.begin(before)
        self._replicas[action.replica] = replica

    def _remove(self, known: Replica) -> None:
        replica = known.record.id
        if known.record.state != "exited":
            raise RuntimeTrouble(f'cannot remove replica "{replica}": it is still running')
        known.forget()
        del self._replicas[replica]
        used = {self._layout.log(other) for other in self._replicas}
        logs.prune(self._layout.log(replica).parent, used)
        self._changed()

    def _records(self) -> list[Record]:
        found = []
        for path in sorted(self._layout.replicas.glob(f"*/*/*/{FILE}")):
            try:
                found.append(record.read(path.parent))
            except (OSError, msgspec.MsgspecError):
                # Its processes are strays from now on; the core starts the replica anew.
                with contextlib.suppress(OSError):
                    path.rename(path.with_suffix(".damaged"))
        return found

    def _is_command(self, mark: str) -> bool:
        place, _, what = mark.rpartition("#")
        return what == "command" and Path(place).is_relative_to(self._layout.folder)

    def _is_stray(self, mark: str) -> bool:
        place, _, what = mark.rpartition("#")
        living = {replica.mark for replica in self._replicas.values() if replica.record.state != "exited"}
        return what != "command" and mark not in living and Path(place).is_relative_to(self._layout.folder)

    def _changed(self) -> None:
        for nudge in self._nudges:
            nudge()

    async def _keep_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOG_LOOK_S)
            for replica in [replica for replica, known in self._replicas.items() if known.record.logger is None]:
                await asyncio.to_thread(logs.turn_over, self._layout.log(replica))
