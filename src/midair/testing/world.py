"""A simulated world: replicas that start, turn unhealthy and die, a slow router, and requests of all lengths.

It knows nothing of rollouts. Actions are performed on it, it is observed, and it keeps the truth for the checkers.
"""

from collections.abc import Callable

from msgspec.structs import replace

from midair.model.action import (
    Action,
    MakeFront,
    ReachReplicas,
    RemoveFront,
    RemoveReplica,
    ResizeReplica,
    RuntimeAction,
    SetRoutes,
    StartReplica,
    StopReplica,
)
from midair.model.ids import FOREIGN, ReplicaId, replica_id, revision_of
from midair.model.moment import Moment
from midair.model.seen import Reach, ReplicaSeen, RouteSeen
from midair.testing.body import FOREVER, Body, Quality, Table
from midair.testing.choose import Chooser
from midair.testing.fronts import Fronts

LATE_S = 7.0  # after it was ready, where a replica ends later than any `monitor`
OPENS_LATE_S = 0.7  # after its check has passed, where a replica opens its port late
START_S = (0.5, 0.2, 1.5, 4.0)
REQUEST_S = (0.3, 0.05, 2.0, 9.0, 60.0)
OPEN_MAX = 12  # requests inside at a time: enough to drain, few enough to be quick
TOO_LITTLE = "1b"  # a limit that no running replica takes


class World:
    """Services of one project, by name."""

    def __init__(self, chooser: Chooser, services: list[str], quality: dict[str, Quality]) -> None:
        self.chooser = chooser
        self.quality = quality  # by revision
        self.bodies: dict[str, dict[ReplicaId, Body]] = {name: {} for name in services}
        self.tables: dict[str, Table] = {name: Table() for name in services}
        self.fronts = Fronts(chooser)
        self.now: Moment = 1000.0
        self.ports = 20000
        self.calm_at = FOREVER  # when hung replicas get well
        self.late: list[tuple[Moment, str, RuntimeAction, tuple[Body, int, str] | None]] = []  # actions under way
        self.limits: dict[str, str] = {}  # of each service, by the project in force
        self.taken_over: set[str] = set()  # services that something else had published
        self.keeping: frozenset[str] = frozenset()  # services whose replicas keep data by number
        self.reaches = True  # the router connects to candidates; an older one does not
        self.reached: set[tuple[ReplicaId, str]] = set()  # replicas and addresses that a router has connected to, ever
        self.accepted = self.answered = self.lost = self.waiting = 0
        self.cut = 0  # of the lost: those that a stop ended
        self.tell: Callable[[str], None] = _silent
        self.on_stop: Callable[[str, Body, int], None] = _nothing  # service, replica, requests inside
        self.on_lost: Callable[[str, ReplicaId, Body | None], None] = _nothing

    def publish(self, service: str, replicas: int) -> None:
        """Replicas that something else made and published before midair came."""
        for place in range(replicas):
            body = Body(replica_id(service, FOREIGN, place), "good")
            body.attempt, body.address, body.ready_at, body.published = 1, f"f:{place}", self.now - 60.0, True
            body.own_volumes = self._data_of(service)
            body.become("ready", self.now - 60.0)
            body.is_open = True
            self.bodies[service][body.id] = body
        self.quality[FOREIGN] = "good"
        self.taken_over.add(service)

    def _data_of(self, service: str) -> tuple[str, ...]:
        return ("/data",) if service in self.keeping else ()

    def in_force(self, limits: dict[str, str]) -> None:
        """These are the limits that replicas of each service are to have; a service that leaves keeps its."""
        limits = self.limits | limits
        if limits != self.limits:
            self.limits = limits
            for service, bodies in self.bodies.items():
                for body in bodies.values():
                    self._compare(service, body)

    def refusal(self, service: str, action: Action) -> str:
        """Why an action cannot be carried out now, if it cannot."""
        if isinstance(action, ResizeReplica) and self.limits.get(service) == TOO_LITTLE:
            return "the limit is refused"
        asks = isinstance(action, SetRoutes) and any(not port.inside for port in action.ports)
        if asks and any(one.published and one.state != "exited" for one in self.bodies[service].values()):
            return "the port is taken"
        return ""

    def move(self, now: Moment) -> None:
        """Let everything happen that is due until `now`."""
        self.now = now
        self.fronts.move(now)
        for late in [one for one in self.late if one[0] <= now]:
            self.late.remove(late)
            self._land(*late[1:])
        for name, bodies in self.bodies.items():
            for body in bodies.values():
                if body.due <= now:
                    self._turn(body)
                if body.requests:
                    self._end_requests(body)
            table = self.tables[name]
            if table.ahead:
                self._settle(name, table)
            if table.candidates:
                self._connect(name, table)
            if table.settled.generation:
                self._arrive(name, table)

    def due(self) -> Moment:
        """When something happens next by itself that matters: of requests, only the ends of those being drained."""
        due = min((at for at, _, _, _ in self.late), default=FOREVER)
        due = min(due, self.fronts.due())
        for name, bodies in self.bodies.items():
            table = self.tables[name]
            for at, routes in table.ahead:
                if not routes.front or self.fronts.runs(name):
                    due = min(due, at)
            for body in bodies.values():
                due = min(due, body.due)
                if body.requests and body.id in table.out_since:
                    due = min(due, *body.requests)
        return due

    def look(self, service: str) -> tuple[tuple[ReplicaSeen, ...], RouteSeen | None]:
        """The truth about a service, as runtime and router would tell it."""
        bodies = self.bodies[service]
        for gone in [body for body in bodies.values() if body.published and body.state == "exited"]:
            del bodies[gone.id]  # it is kept for a way back, and shown no more
        replicas = tuple([body.look() for body in bodies.values()])
        table = self.tables[service]
        if table.unreachable_until > self.now:
            return replicas, None
        open_now = {name: body.inside for name, body in bodies.items() if body.inside}
        settled = table.settled
        failing = tuple([one.replica for one in settled.routes if self._refuses(bodies.get(one.replica), one.address)])
        return replicas, RouteSeen(
            settled.generation, settled.routes, settled.hold, open=open_now, failing=failing,
            reach=self._reports(table) if self.reaches else None,
        )  # fmt: skip

    def _refuses(self, body: Body | None, address: str) -> bool:
        return body is not None and body.address == address and body.state == "ready" and not body.is_open

    def _reports(self, table: Table) -> tuple[Reach, ...]:
        """What the router says of its connections."""
        return tuple(
            [
                Reach(
                    one.replica, one.attempt, one.turn, one.address, port,
                    "answered" if (one.replica, one.attempt, one.turn, one.address) in table.answers else "refused",
                )
                for one in table.candidates
                for port in one.ports
            ]
        )  # fmt: skip

    def _connect(self, name: str, table: Table) -> None:
        """The router connects to what is open."""
        for one in table.candidates:
            body = self.bodies[name].get(one.replica)
            is_there = body is not None and body.address == one.address and body.state not in ("exited", "stopping")
            if is_there and body is not None and body.is_open:
                table.answers.add((one.replica, one.attempt, one.turn, one.address))
                self.reached.add((one.replica, one.address))

    def limits_now(self, service: str) -> dict[ReplicaId, str]:
        """The limits that each replica has."""
        return {name: body.limits for name, body in self.bodies[service].items()}

    def compared(
        self, service: str, old: tuple[ReplicaSeen, ...], had: dict[ReplicaId, str]
    ) -> tuple[ReplicaSeen, ...]:
        """An old look at replicas that had these limits, compared with what they are to have now."""
        wanted, gone = self.limits.get(service, ""), ("stopping", "exited")
        return tuple(
            replace(one, resize=had[one.id] != wanted and not one.published and one.state not in gone) for one in old
        )

    def perform(self, service: str, action: Action) -> bool:
        """Carry out an action, or begin to; False: it is put off, something acts on the replica already."""
        if isinstance(action, SetRoutes):
            self._perform(service, action, "")
            return True
        if isinstance(action, ReachReplicas):
            self.tables[service].candidates = action.candidates
            self._connect(service, self.tables[service])
            return True
        if isinstance(action, MakeFront | RemoveFront):
            return self.fronts.perform(service, action, self.now)
        if any(one.replica == action.replica for _, _, one, _ in self.late):
            return False
        if self.chooser.pick(6, "a slow action") == 5 or self.chooser.fault("an action takes its time"):
            body = self.bodies[service].get(action.replica)
            at = self.now + (1.0, 0.1, 12.0)[self.chooser.pick(3, "how long")]
            on = (body, body.attempt, self.limits.get(service, "")) if body else None
            self.late.append((at, service, action, on))
        else:
            self._perform(service, action, self.limits.get(service, ""))
        return True

    def _land(self, service: str, action: RuntimeAction, on: tuple[Body, int, str] | None) -> None:
        """An action that took its time comes to effect, on the very body that it was begun on."""
        body = self.bodies[service].get(action.replica)
        if on is None or (body is on[0] and on[0].attempt == on[1]):
            self._perform(service, action, on[2] if on is not None else "")

    def _perform(self, service: str, action: Action, limits: str) -> None:
        match action:
            case StartReplica():
                self._start(service, action)
            case StopReplica():
                self._stop(service, action)
            case RemoveReplica():
                body = self.bodies[service].get(action.replica)
                if body is not None and body.state == "exited":
                    del self.bodies[service][action.replica]
            case ResizeReplica():
                body = self.bodies[service].get(action.replica)
                if body is not None and body.state not in ("stopping", "exited"):
                    body.limits = limits
                    self._compare(service, body)
            case SetRoutes():
                delays = (0.05, 0.0, 0.4, 3.0, 11.0) if self.chooser.fault("routes are late") else (0.05,)
                due = self.now + delays[-1 - self.chooser.pick(len(delays), "how late")]
                self.tables[service].ahead.append((due, action))

    def _compare(self, service: str, body: Body) -> None:
        body.resize, body.image = body.limits != self.limits.get(service, "") and not body.published, None

    def crash(self, body: Body) -> None:
        """A replica dies by itself."""
        self.tell(f"      ! {body.id} crashes")
        self._end(body, -9)

    def hurt(self, body: Body) -> None:
        """A ready replica turns unhealthy, and gets well after a while."""
        if body.state == "ready":
            self.tell(f"      ! {body.id} turns unhealthy")
            body.become("unhealthy", self.now)
            body.ready_due = self.now + START_S[self.chooser.pick(4, "until it is well")]

    def lose_router(self, service: str) -> None:
        """The router restarts and remembers nothing."""
        self.tell(f"      ! the router forgets {service}")
        self.tables[service] = Table()
        for body in self.bodies[service].values():
            self._lose(body)

    def _start(self, service: str, action: StartReplica) -> None:
        body = self.bodies[service].get(action.replica)
        if body is None:
            quality = self.quality[revision_of(action.replica)]
            body = self.bodies[service][action.replica] = Body(action.replica, quality)
            body.made_at = self.now
        elif body.state != "exited" or body.attempt >= action.attempt:
            return
        self.ports += 1
        body.own_volumes = self._data_of(service)
        body.attempt, body.address, body.exit_code, body.ready_at = action.attempt, f"h:{self.ports}", None, None
        body.stop_asked = body.is_open = False
        body.open_due = body.shut_due = FOREVER
        body.limits, body.resize = self.limits.get(service, ""), False
        body.become("starting", self.now)
        took = START_S[self.chooser.pick(4, "time to start")]
        if self.chooser.fault("a replica starts late"):
            took = 30.0
        elif self.chooser.fault("a replica hangs"):
            took = self.calm_at - self.now if self.calm_at < FOREVER else 4000.0
        body.ready_due = self.now + took if body.quality != "never" else FOREVER
        if body.quality == "exits":
            body.ready_due, body.end_due, body.end_code = FOREVER, self.now + took / 2, 1

    def _stop(self, service: str, action: StopReplica) -> None:
        body = self.bodies[service].get(action.replica)
        if body is None or body.state in ("exited", "stopping"):
            return
        self.on_stop(service, body, body.inside)
        self.cut += body.inside
        self._lose(body)
        body.stop_asked = True
        body.become("stopping", self.now)
        body.ready_due = body.sick_due = FOREVER
        body.end_code = 0
        body.end_due = self.now + (8.0 if self.chooser.fault("a replica ends slowly") else 0.2)

    def _lose(self, body: Body) -> None:  # idle connections are counted when they end
        self.accepted, self.lost = self.accepted + body.idle, self.lost + body.inside
        body.requests, body.idle = [], 0

    def _turn(self, body: Body) -> None:
        if min(body.shut_due, body.open_due) <= self.now:
            body.is_open = body.shut_due <= body.open_due <= self.now or body.open_due <= self.now < body.shut_due
            body.open_due = FOREVER if body.open_due <= self.now else body.open_due
            body.shut_due = FOREVER if body.shut_due <= self.now else body.shut_due
        if body.end_due <= self.now:
            self._end(body, body.end_code)
        elif body.ready_due <= self.now:
            body.ready_due = FOREVER
            if body.ready_at is None:
                body.ready_at = self.now
                self._foretell(body)
            body.become("ready", self.now)
        elif body.sick_due <= self.now:
            body.sick_due = FOREVER
            body.become("unhealthy", self.now)

    def _foretell(self, body: Body) -> None:
        """What becomes of a replica after it was ready for the first time."""
        opens_late = self.ports % 4 == 0
        if body.quality != "mute":
            body.is_open, body.open_due = not opens_late, self.now + OPENS_LATE_S if opens_late else FOREVER
        if body.quality == "good" and self.ports % 5 == 1:  # for a moment, long after
            body.is_open, body.shut_due, body.open_due = True, self.now + 20.0, self.now + 23.0
        elif body.quality == "refuses":
            body.is_open, body.open_due, body.shut_due = True, FOREVER, self.now + 0.9
        elif body.quality == "late":
            body.end_due, body.end_code = self.now + LATE_S, 3
        if body.quality == "sick":
            body.sick_due = self.now + 0.9
        elif body.quality in ("dies", "job", "bad-job"):
            body.end_due = self.now + 0.9
            body.end_code = 0 if body.quality == "job" else 3

    def _end(self, body: Body, code: int) -> None:
        self._lose(body)
        body.exit_code = code
        body.become("exited", self.now)
        body.ready_due = body.sick_due = body.end_due = body.open_due = body.shut_due = FOREVER
        body.is_open = False
        if not body.stop_asked:
            body.ends.append(self.now)

    def _end_requests(self, body: Body) -> None:
        still = [at for at in body.requests if at > self.now]
        self.answered += len(body.requests) - len(still)
        body.requests = still

    def _settle(self, name: str, table: Table) -> None:
        """Routes come into force, in whatever order they arrive; an older generation is refused."""
        for due, routes in sorted(table.ahead, key=lambda one: one[0]):
            if due > self.now or (routes.front and not self.fronts.runs(name)):
                continue
            table.ahead.remove((due, routes))
            if routes.generation < table.settled.generation:
                self.tell(f"      ! generation {routes.generation} of {name} is refused, it is too old")
                continue
            within = {route.replica for route in routes.routes}
            for route in table.settled.routes:
                if route.replica not in within:
                    table.out_since[route.replica] = self.now
            for replica in within:
                table.out_since.pop(replica, None)
            self._close_idle(name, routes)
            table.settled = routes

    def _close_idle(self, name: str, routes: SetRoutes) -> None:
        """What is idle in a replica that leaves is closed. An older router knows of none that does."""
        for body in self.bodies[name].values() if self.reaches else ():
            if body.id in routes.leaving:
                self.accepted, self.answered, body.idle = self.accepted + body.idle, self.answered + body.idle, 0

    def _arrive(self, name: str, table: Table) -> None:
        """New requests go where the routes in force say."""
        routes = table.settled.routes
        if not routes or table.settled.hold or (table.settled.front and not self.fronts.runs(name)):
            self.waiting += 1
            return
        if name in self.taken_over and not table.settled.ports:
            return  # they come another way
        for _ in range(1 + self.chooser.pick(2, "one more request")):
            table.turn += 1
            if self.accepted - self.answered - self.lost > OPEN_MAX:
                return
            self.accepted += 1
            route = routes[table.turn % len(routes)]
            body = self.bodies[name].get(route.replica)
            is_there = body is not None and body.address == route.address and body.state in ("ready", "unhealthy")
            if is_there and body is not None and not body.is_open:
                self.accepted -= 1
                self.waiting += 1  # refused: the router lets it wait
            elif is_there and body is not None:
                body.idle = max(body.idle, int(table.turn % 7 == 3))
                body.requests.append(self.now + REQUEST_S[self.chooser.pick(5, "length of a request")])
            else:
                self.lost += 1
                self.on_lost(name, route.replica, body)


def _silent(line: str) -> None:
    """Nobody listens."""


def _nothing(*args: object) -> None:
    """Nobody checks."""
