"""One service on its way from one revision to another, and kept there afterwards. Data only; `rollout` decides."""

from typing import Literal

import msgspec

from midair.model.action import Action
from midair.model.event import Event
from midair.model.ids import ChangeId, ReplicaId, RevisionId
from midair.model.moment import Moment
from midair.model.project import Drain, Hold, Port, Restart, Strategy, Update
from midair.model.seen import Route

Phase = Literal[
    "pending", "progressing", "paused", "baking", "promoting", "completed",
    "rolling_back", "rolled_back", "stuck", "superseded",
]  # fmt: skip


class Goal(msgspec.Struct, frozen=True):
    """Where a rollout goes. `revision` None or `replicas` 0: the service is to have no replica."""

    revision: RevisionId | None
    replicas: int


class Policy(msgspec.Struct, frozen=True):
    """How to get there: the settings of the service that the core acts on. Changed live."""

    update: Update = Update()
    rollback: Update = Update()
    strategy: Strategy = Strategy()
    restart: Restart = Restart()
    drain: Drain = Drain()
    hold: Hold = Hold()
    ports: tuple[Port, ...] = ()
    stop_signal: str = "SIGTERM"
    stop_grace_s: float = 10.0


class Draining(msgspec.Struct, frozen=True):
    """A replica that was taken out of the routes and is not stopped yet."""

    replica: ReplicaId
    generation: int  # the first that does not contain it
    since: Moment  # when that generation was asked for


class Restarting(msgspec.Struct, frozen=True):
    """A replica that ended and waits to come back."""

    replica: ReplicaId
    attempts: int
    at: Moment  # not before


class Failure(msgspec.Struct, frozen=True):
    """A replica of the new revision that failed, counted against `max_failure_ratio`."""

    replica: ReplicaId
    attempt: int
    at: Moment
    text: str


class Rollout(msgspec.Struct, frozen=True):
    """The persisted state of one service's rollout."""

    service: str
    change: ChangeId
    phase: Phase
    goal: Goal
    stable: Goal  # last known good: where a rollback goes
    policy: Policy = Policy()
    generation: int = 0  # of the routes asked for last
    asked: tuple[Route, ...] = ()  # the routes of that generation
    asked_hold: bool = False
    draining: tuple[Draining, ...] = ()
    restarting: tuple[Restarting, ...] = ()
    failures: tuple[Failure, ...] = ()
    started_at: Moment = 0.0
    progressed_at: Moment = 0.0  # the progress deadline counts from here; stands still while paused
    step: int = 0  # of a strategy with steps
    step_at: Moment = 0.0
    paused_from: Phase | None = None
    held_by_operator: bool = False
    reason: str = ""  # why it is in this phase, for people


class Step(msgspec.Struct, frozen=True):
    """What `advance` decided. The order is a contract: persist first, then act."""

    rollout: Rollout  # 1. persist this …
    events: tuple[Event, ...] = ()  # … and these, in one transaction;
    actions: tuple[Action, ...] = ()  # 2. then perform these; twice is harmless;
    wake_at: Moment | None = None  # 3. and come back by then, or when something changes
