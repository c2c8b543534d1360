"""A runtime in memory, for tests of what stands above runtimes. It keeps the same contract as the real ones.

A `FakeMachine` outlives the `FakeRuntime`s that are opened on it, as processes outlive a daemon. Replicas do what
their `Behaviour` says, in the time of the clock that is handed in; nothing in here waits.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.action import FrontAction, RemoveReplica, RuntimeAction, StartReplica, StopReplica
from midair.model.command import Command
from midair.model.ids import ReplicaId, revision_of, service_of
from midair.model.moment import Moment, Span
from midair.model.plan import Written
from midair.model.project import Names, Project, Revision, Service
from midair.model.seen import FrontSeen, ReplicaSeen
from midair.runtime.base import CommandSession, Progress
from midair.testing.session import FakeSession

_NONE: Mapping[str, bytes] = {}


class Behaviour(msgspec.Struct, frozen=True):
    """What a replica does by itself. Spans count from its start, but for `unhealthy_after_s` and `stops_after_s`."""

    ready_after_s: Span | None = 0.0  # None: never
    unhealthy_after_s: Span | None = None  # counts from ready
    exits_after_s: Span | None = None
    exit_code: int = 1  # of that exit
    stops_after_s: Span | None = 0.0  # counts from the stop signal; None: it ignores the signal and is killed
    start_trouble: str = ""  # it cannot even be started


class _Fake(msgspec.Struct, frozen=True):
    """One replica on the machine."""

    seen: ReplicaSeen
    behaviour: Behaviour
    started_at: Moment
    ends_at: Moment | None = None  # once it was told to stop
    end_code: int = 0


class FakeMachine:
    """What is there whether anybody looks after it or not. Tests set its attributes and read them."""

    def __init__(self) -> None:
        self.behaviours: dict[str, Behaviour] = {}  # by replica id, revision id or service name
        self.code: dict[str, str] = {}  # by service name: stands for the contents of its build directory
        self.build_trouble: dict[str, str] = {}  # by service name
        self.reasons: dict[str, tuple[str, ...]] = {}  # by service name: what `check` answers
        self.written: dict[str, Written] = {}  # by release
        self.belongings: tuple[str, ...] = ()
        self.trouble = ""  # not empty: `observe` and `perform` fail with it
        self.releases: set[str] = set()
        self.left_outside: list[str] = []  # what `forget` says it has deleted
        self.adapted: dict[str, Revision] = {}  # by service and revision: what `adapt` was told last
        self.performed: list[RuntimeAction] = []
        self.replicas: dict[ReplicaId, _Fake] = {}
        self.started = 0  # processes, ever
        self.log_files: dict[str, tuple[tuple[str, str], ...]] = {}  # by service: replica and path

    def behaviour_of(self, replica: ReplicaId) -> Behaviour:
        """The most particular behaviour that was set for a replica."""
        for key in (replica, revision_of(replica), service_of(replica)):
            if key in self.behaviours:
                return self.behaviours[key]
        return Behaviour()

    def kill(self, replica: ReplicaId, now: Moment) -> None:
        """End a replica's process from outside."""
        self.replicas[replica] = replace(self.replicas[replica], ends_at=now, end_code=-9)


class FakeRuntime:
    """A runtime over a `FakeMachine`."""

    name = "fake"

    def __init__(self, clock: Callable[[], Moment], machine: FakeMachine | None = None) -> None:
        self.machine = machine or FakeMachine()
        self._clock = clock
        self._nudges: list[Callable[[], None]] = []
        self._timers: list[asyncio.TimerHandle] = []

    async def open(self) -> None:
        """Adopt the replicas of the machine."""
        for fake in self.machine.replicas.values():
            self._tell_later(fake)

    async def close(self) -> None:
        """Let go of them."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def arrange(self, project: Project) -> dict[str, Names]:
        """Fakes share nothing."""
        return {}

    def in_force(self, project: Project) -> None:
        """Fakes have no settings that could differ."""

    async def observe(self) -> tuple[ReplicaSeen, ...]:
        """Every replica, as its behaviour has it at this moment."""
        self._fail_if_told()
        now = self._clock()
        for replica, fake in self.machine.replicas.items():
            self.machine.replicas[replica] = replace(fake, seen=_settled(fake, now))
        return tuple(fake.seen for fake in self.machine.replicas.values())

    async def observe_fronts(self) -> tuple[FrontSeen, ...]:
        """None: names lead elsewhere here."""
        return ()

    async def perform_front(self, action: FrontAction) -> None:
        """Services have no fronts here."""

    async def perform(self, action: RuntimeAction, revision: Revision | None) -> None:
        """Carry out an action."""
        self.machine.performed.append(action)
        self._fail_if_told()
        await self.observe()
        fake = self.machine.replicas.get(action.replica)
        if isinstance(action, StartReplica):
            self._start(action, fake)
        elif fake is not None and isinstance(action, StopReplica):
            self._stop(action, fake)
        elif fake is not None and isinstance(action, RemoveReplica):
            self._remove(fake)
        self.nudge()

    async def exec(self, replica: ReplicaId, command: Command) -> CommandSession:
        """Run a command that answers with its words."""
        self._fail_if_told()
        return FakeSession(command)

    async def run(self, revision: Revision, command: Command, *, publish: bool) -> CommandSession:
        """The same beside no replica."""
        self._fail_if_told()
        return FakeSession(command)

    async def written(self, release: str) -> Written:
        """What a test says was written into a release."""
        return self.machine.written.get(release, Written())

    async def belongings(self) -> tuple[str, ...]:
        """What a test says goes with the project."""
        return self.machine.belongings

    async def adapt(self, revision: Revision) -> None:
        """Remember the newest settings of a revision."""
        self.machine.adapted[f"{revision.service.name}/{revision.id}"] = revision

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` when a state may have changed."""
        self._nudges.append(nudge)

    def nudge(self) -> None:
        """Say that something may have changed; for tests that move a clock of their own."""
        for nudge in self._nudges:
            nudge()

    async def bases(self, release: str) -> Mapping[str, str]:
        return {}

    async def fingerprint(
        self, service: Service, known: Revision | None = None, *, keep: bool = False, builds: bool = False
    ) -> str | None:
        """Content id of the service's `machine.code`."""
        if service.build is None:
            return None
        code = self.machine.code.get(service.name, "")
        return hashlib.sha256(f"{service.build.context}\n{code}".encode()).hexdigest()[:16]

    async def prepare(
        self, service: Service, progress: Progress, shell: Mapping[str, str] | None = None, *,
        release: str | None = None, contents: Mapping[str, bytes] = _NONE,
    ) -> str | None:  # fmt: skip
        """Make the release, unless `machine.build_trouble` forbids it."""
        release = await self.fingerprint(service)
        if release is None:
            return None
        if trouble := self.machine.build_trouble.get(service.name):
            raise BuildTrouble(f'cannot build service "{service.name}": {trouble}')
        progress(f"{service.name}: release {release}")
        self.machine.releases.add(release)
        return release

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """A release that is gone stays so."""
        release = revision.release
        return "" if release is None or release in self.machine.releases else f'release "{release}" was removed'

    async def forget(self) -> tuple[str, ...]:
        """What `machine.left_outside` names."""
        return tuple(self.machine.left_outside)

    async def prune(self, keep: set[str]) -> None:
        """Forget the other releases."""
        self.machine.releases &= keep

    async def check(self, service: Service, shell: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """What `machine.reasons` says."""
        return self.machine.reasons.get(service.name, ())

    async def unsupported(self, service: Service) -> tuple[str, ...]:
        """Nothing: it can do everything."""
        return ()

    async def advise(self, service: Service, release: str | None) -> tuple[str, ...]:
        """Nothing that the plan does not know."""
        return ()

    def log_files(self, service: str) -> tuple[tuple[str, str], ...]:
        """Those that a test has written."""
        return self.machine.log_files.get(service, ())

    def container_logs(self, service: str) -> tuple[()]:
        """None."""
        return ()

    def _start(self, action: StartReplica, fake: _Fake | None) -> None:
        if fake is not None and fake.seen.attempt >= action.attempt:
            return
        if fake is not None and fake.seen.state != "exited":
            raise RuntimeTrouble(f'cannot start replica "{action.replica}" again: it is still running')
        behaviour = self.machine.behaviour_of(action.replica)
        if behaviour.start_trouble:
            raise RuntimeTrouble(f'cannot start replica "{action.replica}": {behaviour.start_trouble}')
        self.machine.started += 1
        now, number = self._clock(), self.machine.started
        address = f"127.0.0.1:{20000 + number}"
        seen = ReplicaSeen(action.replica, "starting", now, action.attempt, address, pid=1000 + number)
        self._put(_Fake(seen, behaviour, now))

    def _stop(self, action: StopReplica, fake: _Fake) -> None:
        if fake.seen.state in ("stopping", "exited"):
            return
        now, takes = self._clock(), fake.behaviour.stops_after_s
        killed = takes is None or takes > action.grace_s
        ends_at = now + (action.grace_s if takes is None or killed else takes)
        seen = replace(fake.seen, state="stopping", since=now)
        self._put(replace(fake, seen=seen, ends_at=ends_at, end_code=-9 if killed else 0))

    def _remove(self, fake: _Fake) -> None:
        if fake.seen.state != "exited":
            raise RuntimeTrouble(f'cannot remove replica "{fake.seen.id}": it is still running')
        del self.machine.replicas[fake.seen.id]

    def _put(self, fake: _Fake) -> None:
        self.machine.replicas[fake.seen.id] = fake
        self._tell_later(fake)

    def _tell_later(self, fake: _Fake) -> None:
        now = self._clock()
        loop = asyncio.get_running_loop()
        for moment in _moments(fake):
            if moment > now:
                self._timers.append(loop.call_later(moment - now, self.nudge))

    def _fail_if_told(self) -> None:
        if self.machine.trouble:
            raise RuntimeTrouble(self.machine.trouble)


def _settled(fake: _Fake, now: Moment) -> ReplicaSeen:
    """What is to be seen of a replica at `now`."""
    seen, does = fake.seen, fake.behaviour
    if seen.state == "exited":
        return seen
    exits_at = None if does.exits_after_s is None else fake.started_at + does.exits_after_s
    ends = [(at, code) for at, code in ((fake.ends_at, fake.end_code), (exits_at, does.exit_code)) if at is not None]
    if ends and (end := min(ends))[0] <= now:
        return replace(
            seen, state="exited", since=end[0], exit_code=end[1], pid=None, detail=f"exited with code {end[1]}"
        )
    if seen.state == "stopping" or does.ready_after_s is None:
        return seen
    ready_at = fake.started_at + does.ready_after_s
    if ready_at > now:
        return seen
    bad_at = None if does.unhealthy_after_s is None else ready_at + does.unhealthy_after_s
    if bad_at is not None and bad_at <= now:
        return replace(seen, state="unhealthy", since=bad_at, ready_at=ready_at, detail="behaves badly")
    return replace(seen, state="ready", since=ready_at, ready_at=ready_at)


def _moments(fake: _Fake) -> list[Moment]:
    """When a replica's state changes by itself."""
    does, start = fake.behaviour, fake.started_at
    ready = None if does.ready_after_s is None else start + does.ready_after_s
    exits = None if does.exits_after_s is None else start + does.exits_after_s
    bad = None if ready is None or does.unhealthy_after_s is None else ready + does.unhealthy_after_s
    return [moment for moment in (ready, exits, bad, fake.ends_at) if moment is not None]
