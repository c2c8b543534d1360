"""A router in memory, for tests of what stands above routers. It keeps the same contract as the real one.

A `FakeGate` outlives the `FakeRouter`s that are opened on it, as a router process outlives a daemon. Requests are let
in and out by hand; with `by_hand` routes settle only when the test says so.
"""

import asyncio
import time
from collections.abc import Callable

from msgspec.structs import replace

from midair.errors import RouterTrouble
from midair.model.action import ReachReplicas, RouterAction, SetRoutes
from midair.model.counters import NUMBERS, PLACES, Record
from midair.model.ids import ReplicaId, revision_of, service_of
from midair.model.project import Port
from midair.model.seen import Reach, RouteSeen, Tally
from midair.router.base import RevisionCount, RouterDeath, RouterSeen

_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


class FakeGate:
    """What is there whether anybody looks after it or not. Tests set its attributes and read them."""

    def __init__(self) -> None:
        self.by_hand = False  # asked routes settle only by `settle`
        self.taken: dict[int, str] = {}  # ports that cannot be listened on, and why
        self.trouble = ""  # not empty: `observe` and `perform` fail with it
        self.failing: set[ReplicaId] = set()
        self.refusing: set[ReplicaId] = set()  # candidates that cannot be connected to
        self.reaches = True  # False: an older router, which connects to no candidate
        self.candidates: dict[str, ReachReplicas] = {}  # by service
        self.held: dict[str, int] = {}  # by service
        self.asked: dict[str, SetRoutes] = {}  # the newest generation of each service
        self.settled: dict[str, SetRoutes] = {}
        self.problems: dict[str, str] = {}
        self.performed: list[SetRoutes] = []
        self.running = False
        self.started_at = 0.0
        self.deaths: tuple[RouterDeath, ...] = ()  # of those before
        self.nudges: list[Callable[[], None]] = []
        self._open: dict[ReplicaId, int] = {}
        self._counts: dict[tuple[str, str], RevisionCount] = {}

    def settle(self, service: str) -> None:
        """Put the generation that was asked for last in force."""
        self.settled[service] = self.asked[service]
        self._nudge()

    def begin(self, replica: ReplicaId, requests: int = 1) -> None:
        """Let requests in."""
        self._open[replica] = self._open.get(replica, 0) + requests
        self._add(service_of(replica), revision_of(replica), Tally(accepted=requests))

    def end(self, replica: ReplicaId, requests: int = 1, *, outcome: str = "answered", status: int = 200) -> None:
        """Let requests out: answered, refused, aborted or lost."""
        self._open[replica] -= requests
        service, revision = service_of(replica), revision_of(replica)
        self._add(service, revision, Tally(**{outcome: requests}))
        if outcome == "answered":
            count = self._counts[service, revision]
            key = f"{status // 100}xx"
            by_status = {**count.by_status, key: count.by_status[key] + requests}
            self._counts[service, revision] = replace(count, by_status=by_status)
        if not self._open[replica]:
            self._nudge()

    def seen(self) -> RouterSeen:
        """What a router says of it."""
        routes = {service: self._route_seen(action) for service, action in self.settled.items()}
        for service in (self.problems.keys() | self.candidates.keys()) - routes.keys():
            routes[service] = RouteSeen(settled=0, problem=self.problems.get(service, ""))
        if self.reaches:
            routes = {service: replace(route, reach=self._reach(service)) for service, route in routes.items()}
        return RouterSeen(routes, tuple(self._counts.values()), 1, self.started_at, self.deaths, self.reaches)

    def _reach(self, service: str) -> tuple[Reach, ...]:
        """Every candidate answers at once, but for those that refuse."""
        action = self.candidates.get(service)
        return tuple(
            Reach(
                one.replica, one.attempt, one.turn, one.address, port, "refused", f"connection refused on port {port}"
            )
            if one.replica in self.refusing
            else Reach(one.replica, one.attempt, one.turn, one.address, port, "answered")
            for one in (action.candidates if action else ())
            for port in one.ports
        )

    def changed(self) -> None:
        """A test has changed what the router is to find."""
        self._nudge()

    def _route_seen(self, action: SetRoutes) -> RouteSeen:
        routed = [route.replica for route in action.routes]
        inside = {replica: n for replica, n in self._open.items() if n and service_of(replica) == action.service}
        return RouteSeen(
            settled=action.generation,
            routes=action.routes,
            hold=action.hold,
            held=self.held.get(action.service, 0),
            open={**dict.fromkeys(routed, 0), **inside},
            failing=tuple(replica for replica in routed if replica in self.failing),
            problem=self.problems.get(action.service, ""),
        )

    def _add(self, service: str, revision: str, tally: Tally) -> None:
        empty = RevisionCount(service, revision, Tally(), dict.fromkeys(_CLASSES, 0))
        count = self._counts.get((service, revision), empty)
        self._counts[service, revision] = replace(count, tally=count.tally.plus(tally))

    def _nudge(self) -> None:
        for nudge in self.nudges:
            nudge()


class FakeRouter:
    """The fake router of one project. `gate` is what it works on."""

    name = "fake"

    def __init__(self, gate: FakeGate | None = None) -> None:
        self.gate = gate or FakeGate()

    async def open(self) -> None:
        """Start the router, or find the one that is running."""
        if not self.gate.running:
            self.gate.running = True
            self.gate.started_at = time.time()

    async def close(self) -> None:
        """Let go of it without stopping it."""
        self.gate.nudges.clear()

    async def stop(self) -> None:
        """End it: counts are kept, routes are not."""
        self.gate.running = False
        self.gate.asked.clear()
        self.gate.settled.clear()
        self.gate.candidates.clear()
        self.gate.problems.clear()

    async def restart(self) -> None:
        """Put another one in its place."""
        self._look()
        self.gate.started_at = time.time()

    async def observe(self) -> RouterSeen:
        """Routes in force, open requests and counts."""
        self._look()
        return self.gate.seen()

    async def records(self) -> tuple[Record, ...]:
        """All that was counted, by revision."""
        return tuple(_record(count) for count in self.gate.seen().counts)

    async def perform(self, action: RouterAction) -> None:
        """Ask for a new generation of a service's routes, or name candidates."""
        self._look()
        gate = self.gate
        if isinstance(action, ReachReplicas):
            if not gate.reaches:
                raise RouterTrouble('cannot do "reach": this router does not know how')
            gate.candidates[action.service] = action
            gate.changed()
            return
        known = gate.asked.get(action.service)
        newest = known.generation if known else 0
        if action.generation < newest:
            raise RouterTrouble(
                f'cannot route "{action.service}": generation "{action.generation}" is older than "{newest}"'
            )
        problems = await self.check(action.ports)
        if problems:
            gate.problems[action.service] = problems[0]
            raise RouterTrouble(problems[0])
        gate.problems.pop(action.service, None)
        gate.performed.append(action)
        gate.asked[action.service] = action
        if not gate.by_hand:
            gate.settle(action.service)
        await asyncio.sleep(0)

    async def check(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why these ports could not be listened on."""
        self._look()
        taken = self.gate.taken
        return tuple(f'cannot listen on port "{p.port}": {taken[p.port]}' for p in ports if p.port in taken)

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` when routes settled, or when a draining replica became idle."""
        self.gate.nudges.append(nudge)

    def _look(self) -> None:
        if self.gate.trouble or not self.gate.running:
            raise RouterTrouble(self.gate.trouble or "cannot ask the router: it does not run")


def _record(count: RevisionCount) -> Record:
    numbers = [0] * NUMBERS
    for name in ("accepted", "refused", "aborted", "lost"):
        numbers[PLACES[name]] = getattr(count.tally, name)
    for status, number in count.by_status.items():
        numbers[PLACES[f"status_{status}"]] = number
    numbers[PLACES["answered_tcp"]] = count.tally.answered - sum(count.by_status.values())
    return Record(count.service, count.revision, "", tuple(numbers))
