"""What a simulated run is about: services, the states a project is to go through, and what the operator does when."""

from typing import Literal, NamedTuple, get_args

import msgspec

from midair.model.ids import RevisionId
from midair.model.moment import Span
from midair.model.project import (
    Applied,
    Dependency,
    Drain,
    FailureAction,
    Front,
    Port,
    Project,
    Restart,
    Revision,
    Service,
    Strategy,
    StrategyStep,
    Update,
)
from midair.model.rollout import Abort, Pause, Promote, Resume, Scale, SetHold, Wish
from midair.testing.body import Quality
from midair.testing.choose import Chooser
from midair.testing.world import TOO_LITTLE


class Ask(NamedTuple):
    """Something that is asked for at a moment: another state, an undo, a restart, or a wish about one service."""

    after_s: Span  # since the one before
    applied: Applied | None = None
    undo: bool = False
    restart: bool = False
    service: str = ""
    wish: Wish | None = None


class Scenario(NamedTuple):
    """A whole run."""

    services: list[str]
    quality: dict[str, Quality]
    asks: list[Ask]
    foreign: dict[str, int] = {}  # noqa: RUF012 - replicas that something else started and published before, by service
    keeping: frozenset[str] = frozenset()  # services whose replicas keep data that goes on by number

    @property
    def is_disturbed(self) -> bool:
        """Whether somebody wishes for more than changes, or for what cannot be."""
        states = [ask.applied for ask in self.asks if ask.applied is not None]
        limits = {one.fields.get("mem_limit") for state in states for one in state.project.services.values()}
        return TOO_LITTLE in limits or any(ask.wish for ask in self.asks)


DEADLINE_S = 60.0
QUALITIES: tuple[Quality, ...] = get_args(Quality)[:7]
WORSE: tuple[Quality, ...] = get_args(Quality)[7:]  # passes its check, and is of no use all the same
CONDITIONS: tuple[Literal["service_started", "service_healthy"], ...] = ("service_started", "service_healthy")
LIMITS = ("64m", "64m", "128m", "128m", "256m", TOO_LITTLE)
WISHES: tuple[Wish, ...] = (Pause(), Resume(), Abort(), Promote(), SetHold(True), SetHold(False), Scale(1), Scale(4))


def service_of(
    name: str, replicas: int, update: Update | None = None, rollback: Update | None = None, **more: object
) -> Service:
    """A service that listens, with short deadlines."""
    settings: dict[str, object] = {
        "ports": (Port(8000 + sum(name.encode()), 80),),
        "strategy": Strategy(progress_deadline_s=DEADLINE_S),
        "drain": Drain(timeout_s=6.0, in_surge=replicas % 2 == 1),
    }
    return Service(
        name=name,
        replicas=replicas,
        update=update or Update(monitor_s=2.0),
        rollback=rollback or Update(monitor_s=1.0),
        **{**settings, **more},  # type: ignore[arg-type]
    )


def applied(services: dict[str, tuple[Service, str]]) -> Applied:
    """A state of the project: each service with its revision."""
    return Applied(
        project=Project(name="sim", services={name: service for name, (service, _) in services.items()}),
        revisions={name: Revision(RevisionId(revision), service) for name, (service, revision) in services.items()},
    )


def draw(chooser: Chooser) -> Scenario:
    """A scenario as it comes: one to three services, two to four states, an operator who changes his mind."""
    return _Drawing(chooser).scenario()


def with_more(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with limits that change in place, or on a project that something else has started."""
    asks, foreign = scenario.asks, {}
    if chooser.pick(3, "limits") == 2:
        asks = [_limited(ask, chooser) for ask in asks]
    if chooser.pick(5, "taken over") == 4 and asks[0].applied is not None:
        services = asks[0].applied.project.services.values()
        foreign = {one.name: 1 + chooser.pick(2, "published") for one in services if one.ports}
    return scenario._replace(asks=asks, foreign=foreign)


def with_data(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with services that keep data by number and whose file says no order."""
    keeping = frozenset(name for name in scenario.services if chooser.pick(6, "data by number") == 5)
    asks = [
        ask if ask.applied is None else ask._replace(applied=_without_order(ask.applied, keeping))
        for ask in scenario.asks
    ]
    return scenario._replace(asks=asks, keeping=keeping)


def with_paces(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with services whose file says how many replicas at a time go back."""
    paced = {name for name in scenario.services if chooser.pick(3, "pace of its own") == 2}
    asks = [ask if ask.applied is None else ask._replace(applied=_paced(ask.applied, paced)) for ask in scenario.asks]
    return scenario._replace(asks=asks)


def _paced(state: Applied, names: set[str]) -> Applied:
    services = {
        name: msgspec.structs.replace(
            service,
            fields={**service.fields, "deploy": {"rollback_config": {"parallelism": service.rollback.parallelism}}},
        )
        if name in names
        else service
        for name, service in state.project.services.items()
    }
    return msgspec.structs.replace(state, project=msgspec.structs.replace(state.project, services=services))


def with_restarts(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with a restart of everything somewhere in between."""
    if chooser.pick(4, "restart") != 3:
        return scenario
    asks, place = list(scenario.asks), 1 + chooser.pick(len(scenario.asks), "when")
    asks.insert(place, Ask((40.0, 90.0, 0.5, 3.0)[chooser.pick(4, "pause before it")], restart=True))
    return scenario._replace(asks=asks)


def with_moves(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with changes that move files of the services that they replace."""
    asks, before = [], None
    for ask in scenario.asks:
        state = ask.applied
        if state is not None and before is not None and chooser.pick(6, "files move") == 5:
            ask = ask._replace(applied=_moving(before, state))
        asks.append(ask)
        before = state or before
    return scenario._replace(asks=asks)


def _moving(before: Applied, state: Applied) -> Applied:
    services = {
        name: msgspec.structs.replace(
            service, moves=name in before.revisions and before.revisions[name].id != state.revisions[name].id
        )
        for name, service in state.project.services.items()
    }
    return msgspec.structs.replace(state, project=msgspec.structs.replace(state.project, services=services))


def _without_order(state: Applied, names: frozenset[str]) -> Applied:
    services = {
        name: msgspec.structs.replace(
            service,
            update=msgspec.structs.replace(service.update, order=None),
            rollback=msgspec.structs.replace(service.rollback, order=None),
        )
        if name in names
        else service
        for name, service in state.project.services.items()
    }
    return msgspec.structs.replace(state, project=msgspec.structs.replace(state.project, services=services))


def with_worse(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with a revision that passes its check and does not serve."""
    later = sorted({one.id for ask in scenario.asks[1:] if ask.applied for one in ask.applied.revisions.values()})
    first = {one.id for one in scenario.asks[0].applied.revisions.values()} if scenario.asks[0].applied else set()
    fresh = [one for one in later if one not in first]
    if not fresh or chooser.pick(4, "worse") != 3:
        return scenario
    revision = fresh[chooser.pick(len(fresh), "which revision")]
    quality = WORSE[chooser.pick(len(WORSE), "how")]
    asks = [_slow(ask, revision) for ask in scenario.asks] if quality == "late" else scenario.asks
    return scenario._replace(asks=asks, quality={**scenario.quality, revision: quality})


def _slow(ask: Ask, revision: str) -> Ask:
    """The change to a revision takes longer than its replicas last."""
    after = ask.applied
    names = [] if after is None else [name for name, one in after.revisions.items() if one.id == revision]
    if after is None or not names:
        return ask
    services = {
        name: msgspec.structs.replace(one, replicas=3, update=Update(order="start-first", delay_s=3.0))
        if name in names
        else one
        for name, one in after.project.services.items()
    }
    project = msgspec.structs.replace(after.project, services=services)
    return ask._replace(applied=msgspec.structs.replace(after, project=project))


def _limited(ask: Ask, chooser: Chooser) -> Ask:
    if ask.applied is None:
        return ask
    after = ask.applied
    limits = {name: LIMITS[chooser.pick(len(LIMITS), "limit")] for name in after.project.services}
    return ask._replace(applied=limited(after, limits))


def limited(state: Applied, limits: dict[str, str]) -> Applied:
    """The same state with other limits, which are taken in place."""
    services = {
        name: msgspec.structs.replace(one, runtime="docker", fields={"mem_limit": limits.get(name, "")})
        for name, one in state.project.services.items()
    }
    return Applied(
        project=msgspec.structs.replace(state.project, services=services),
        revisions={name: msgspec.structs.replace(one, service=services[name]) for name, one in state.revisions.items()},
    )


def with_fronts(scenario: Scenario, chooser: Chooser) -> Scenario:
    """The same, in some cases with a front for each service, which a later state may do without."""
    if chooser.pick(4, "fronts") != 3:
        return scenario
    return scenario._replace(
        asks=[
            ask
            if ask.applied is None or chooser.pick(8, "no front") == 7
            else ask._replace(applied=fronted(ask.applied))
            for ask in scenario.asks
        ]
    )


def fronted(state: Applied) -> Applied:
    """The same state with a front for each service."""
    services = {name: msgspec.structs.replace(one, front=Front()) for name, one in state.project.services.items()}
    return msgspec.structs.replace(state, project=msgspec.structs.replace(state.project, services=services))


class _Drawing:
    def __init__(self, chooser: Chooser) -> None:
        self.pick = chooser.pick
        self.quality: dict[str, Quality] = {}
        self.revisions = 0

    def scenario(self) -> Scenario:
        names = ["db", "api", "web"][: (1, 1, 2, 3)[self.pick(4, "services")]]
        now = {name: (self._service(name, names), self._revision("good")) for name in names}
        asks = [Ask(0.0, applied(now))]
        for _ in range(1 + self.pick(3, "changes")):
            if self.pick(4, "wish before the change") == 0:
                asks.append(self._wish(names))
            if self.pick(8, "undo") == 7:
                asks.append(Ask(self._when(), undo=True))
                continue
            now = self._changed(now, names)
            asks.append(Ask(self._when(), applied(now)))
            if self.pick(3, "wish in the change") == 0:
                asks.append(self._wish(names))
        return Scenario(names, self.quality, asks)

    def _when(self) -> Span:
        return (40.0, 90.0, 0.0, 1.0, 3.0, 7.0)[self.pick(6, "pause before it")]

    def _wish(self, names: list[str]) -> Ask:
        wish = WISHES[self.pick(len(WISHES), "wish")]
        return Ask(
            (0.5, 0.0, 2.0, 5.0)[self.pick(4, "moment of the wish")],
            service=names[self.pick(len(names), "wish for")],
            wish=wish,
        )

    def _changed(self, now: dict[str, tuple[Service, str]], names: list[str]) -> dict[str, tuple[Service, str]]:
        after = dict(now)
        for name in names:
            what = self.pick(6, f"change of {name}")
            service, revision = after.get(name) or (self._service(name, names), self._revision("good"))
            after[name] = (service, revision)
            if what <= 2:
                after[name] = (service, self._revision(QUALITIES[max(0, self.pick(12, "quality") - 5)]))
            elif what == 3:
                after[name] = (self._service(name, names), self._revision("good"))
            elif what == 4:
                after[name] = (msgspec.structs.replace(service, replicas=1 + self.pick(4, "replicas")), revision)
            elif name == names[-1] and self.pick(2, "remove"):
                del after[name]
        return after

    def _revision(self, quality: Quality) -> str:
        self.revisions += 1
        revision = f"r{self.revisions}{quality[0] if quality != 'good' else ''}"
        self.quality[revision] = quality
        return revision

    def _service(self, name: str, names: list[str]) -> Service:
        kind = self.pick(10, "strategy")
        steps = (
            StrategyStep(weight=20),
            StrategyStep(pause_s=1.0),
            StrategyStep(weight=60),
            StrategyStep(pause_s=-1.0),
        )
        before = names[: names.index(name)]
        return service_of(
            name,
            1 + self.pick(3, "replicas"),
            self._update(),
            self._update(),
            ports=() if self.pick(6, "ports") == 5 else (Port(8000 + names.index(name), 80),),
            strategy=Strategy(
                kind="canary" if kind == 9 else "blue-green" if kind == 8 else "recreate" if kind == 7 else "rolling",
                steps=steps if kind == 9 else (),
                progress_deadline_s=DEADLINE_S,
            ),
            restart=Restart(condition="on-failure" if self.pick(3, "restart") == 2 else "any"),
            depends_on={
                other: Dependency(CONDITIONS[self.pick(2, "condition")])
                for other in before
                if self.pick(2, "depends") == 0
            },
        )

    def _update(self) -> Update:
        actions: tuple[FailureAction, ...] = ("rollback", "rollback", "rollback", "rollback", "pause", "continue")
        return Update(
            parallelism=(1, 2, 0)[self.pick(3, "parallelism")],
            delay_s=(0.0, 0.0, 3.0)[self.pick(3, "delay")],
            order="stop-first" if self.pick(3, "order") == 2 else "start-first",
            monitor_s=(2.0, 0.0, 5.0)[self.pick(3, "monitor")],
            failure_action=actions[self.pick(6, "failure action")],
            max_failure_ratio=0.4 if self.pick(5, "ratio") == 4 else 0.0,
        )
