"""One service on its way from one revision to another, and kept there afterwards. Data only; `rollout` decides."""

from typing import Literal

import msgspec

from midair.model.action import Action, SetRoutes
from midair.model.event import Event
from midair.model.ids import ChangeId, ReplicaId, RevisionId
from midair.model.moment import Moment, Span
from midair.model.project import Drain, Hold, Port, Restart, Strategy, Update
from midair.model.seen import ReplicaSeen, Route

Phase = Literal[
    "pending", "progressing", "paused", "baking", "promoting", "completed",
    "rolling_back", "rolled_back", "stuck", "superseded",
]  # fmt: skip


class Goal(msgspec.Struct, frozen=True):
    """Where a rollout goes. `revision` None or `replicas` 0: the service is to have no replica."""

    revision: RevisionId | None
    replicas: int


class Expected(msgspec.Struct, frozen=True):
    """A TCP port of a service's replicas, and how much is expected of it."""

    port: int  # target
    source: Literal["ports", "expose", "image"] = "ports"  # who names it
    http: bool = False  # said or usual: where no check exists, a request has to be answered


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
    stop_grace_s: Span = 10.0
    one_shot: bool = False  # its work is over when it ends well: by `restart: "no"`, or somebody waits for that
    front: bool = False  # its names lead to a container of its own
    limits: str = ""  # digest of what changes in place, so that such a change is one
    trusted_proxies: tuple[str, ...] = ()
    beside: bool = False  # the file asks for old and new side by side, also on the same data
    expects: tuple[Expected, ...] = ()
    waits: bool = False  # the old replicas end, and nothing new begins yet
    # `rollback_config` has no parallelism: all come back at once where there is room. None: stored by an older midair.
    all_return: bool | None = None


class Draining(msgspec.Struct, frozen=True):
    """A replica that was taken out of the routes, or never was in them, and is to be stopped."""

    replica: ReplicaId
    generation: int  # the first that does not contain it
    since: Moment | None = None  # when that generation was first seen settled; the drain deadline counts from here


class Restarting(msgspec.Struct, frozen=True):
    """A replica that ended by itself. Kept while it is back too, so that a crash loop is known as one."""

    replica: ReplicaId
    attempt: int  # the one that ended
    count: int  # ends in a row, each after less than `restart.window_s`
    at: Moment | None  # when to start it again; None: not at all
    asked: bool = False  # the next attempt was asked for


class Done(msgspec.Struct, frozen=True):
    """A one-shot that did its work."""

    replica: ReplicaId
    at: Moment


class Failure(msgspec.Struct, frozen=True):
    """A replica made by this change that failed, counted against `max_failure_ratio`."""

    replica: ReplicaId
    attempt: int
    at: Moment
    text: str
    forgiven: bool = False  # the operator resumed in spite of it
    lasted_s: Span | None = None  # it failed later than `monitor`, this long after it was ready: not counted by itself


class Reached(msgspec.Struct, frozen=True):
    """What the router's connections to a replica came to. Kept for as long as the replica is."""

    replica: ReplicaId
    attempt: int
    since: Moment | None = None  # when it was reached at the first of its ports
    at: Moment | None = None  # since when it may be routed to
    ports: tuple[int, ...] = ()  # at which it listens
    missing: tuple[int, ...] = ()  # at which it did not
    refused_at: Moment | None = None  # since when it refuses the router's connections
    reason: str = ""
    turn: int = 0


class Waiting(msgspec.Struct, frozen=True):
    """Why a replica is not ready yet, as it was reported last."""

    replica: ReplicaId
    attempt: int
    reason: str
    at: Moment


class Rollout(msgspec.Struct, frozen=True):
    """The persisted state of one service's rollout."""

    service: str
    change: ChangeId
    phase: Phase
    goal: Goal
    stable: Goal  # last known good: where a rollback goes; stays until the whole change has ended
    policy: Policy = Policy()
    stable_policy: Policy = Policy()  # goes with `stable`
    back: bool = False  # on the way to `stable`, or there, because the change failed or was aborted
    returns: bool = False  # the goal's revision has passed in an earlier change: no monitor, no steps
    alone: bool = False  # on the way back: the two revisions are never there at the same time (`recreate`)
    reason: str = ""  # why it is in this phase, for people
    started_at: Moment = 0.0
    phase_at: Moment = 0.0  # since when it is in this phase
    waiting_since: Moment | None = None  # for a new replica to be good; None: for nothing, or for what always ends
    waited_s: Span = 0.0  # before that, without progress; the progress deadline counts both
    reached: int = 0  # most good replicas so far: more of them is progress
    step: int = 0  # of a strategy with steps
    step_at: Moment = 0.0
    promoted: bool = False  # the operator will not wait any longer
    held_by_operator: bool = False
    asked: SetRoutes | None = None  # the routes asked for last
    created: tuple[ReplicaId, ...] = ()  # replicas of the goal's revision that this change made
    draining: tuple[Draining, ...] = ()
    stopping: tuple[ReplicaId, ...] = ()  # a stop was asked for: never routed again
    restarting: tuple[Restarting, ...] = ()
    failures: tuple[Failure, ...] = ()
    replicas: tuple[ReplicaSeen, ...] = ()  # as they were known last, with what the router says of them
    reachable: tuple[Reached, ...] = ()
    waits: tuple[Waiting, ...] = ()
    replaces_running: bool = False  # replicas of the last good revision were seen to run
    done: tuple[Done, ...] = ()  # one-shots of every revision, oldest first
    done_before: tuple[Done, ...] = ()  # of the goal's revision, before they were to run again
    replaces: tuple[ReplicaId, ...] = ()  # of the goal's revision: a restart has others of the same revision instead
    by_number: bool = False  # replicas were seen to keep data of their own, which goes on in the next of their number

    @property
    def generation(self) -> int:
        """Of the routes asked for last; 0: none were."""
        return self.asked.generation if self.asked else 0

    @property
    def routes(self) -> tuple[Route, ...]:
        """The routes asked for last."""
        return self.asked.routes if self.asked else ()

    @property
    def is_settled(self) -> bool:
        """True when nothing is left to go back from: the change that began it has ended."""
        return self.goal == self.stable and self.policy == self.stable_policy


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Begin nothing new; keep what is there in order."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Go on; failures so far are forgiven."""


class Promote(msgspec.Struct, frozen=True, tag="promote"):
    """Wait no longer: skip what is left of monitoring, delays and steps."""


class Abort(msgspec.Struct, frozen=True, tag="abort"):
    """Go back to the last good revision."""


class Scale(msgspec.Struct, frozen=True, tag="scale"):
    """Have this many replicas, whatever else is going on."""

    replicas: int


class SetHold(msgspec.Struct, frozen=True, tag="set-hold"):
    """Hold new requests, or let them go."""

    on: bool


Wish = Pause | Resume | Promote | Abort | Scale | SetHold


class Step(msgspec.Struct, frozen=True):
    """What `advance` decided. The order is a contract: persist first, then act."""

    rollout: Rollout  # 1. persist this …
    events: tuple[Event, ...] = ()  # … and these, in one transaction;
    actions: tuple[Action, ...] = ()  # 2. then perform these; twice is harmless;
    wake_at: Moment | None = None  # 3. and come back by then, or when something changes
