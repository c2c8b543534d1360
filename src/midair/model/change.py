"""One thing that was asked for and can be undone: an entry in the history. Data only; `change` decides."""

from typing import Literal

import msgspec

from midair.model.event import Event
from midair.model.ids import ChangeId
from midair.model.moment import Moment
from midair.model.plan import Plan
from midair.model.project import Applied
from midair.model.rollout import Rollout
from midair.model.seen import Tally

ChangeKind = Literal["up", "undo", "scale", "restart", "down", "restore", "flag"]
ChangePhase = Literal["pending", "progressing", "completed", "rolling_back", "rolled_back", "stuck", "superseded"]


class Answers(msgspec.Struct, frozen=True):
    """Answers with a status that a service's revision has given, ever."""

    service: str
    total: int
    failed: int  # those of 5xx


class Change(msgspec.Struct, frozen=True):
    """From `before` to `after`, for several services, all or nothing."""

    id: ChangeId
    project: str
    kind: ChangeKind
    phase: ChangePhase
    created_at: Moment
    after: Applied
    before: Applied | None = None  # None: the first change of a project
    plan: Plan | None = None
    summary: str = ""
    by: str = ""  # who asked
    why: str = ""  # in their words
    undoes: ChangeId | None = None
    takes_back: ChangeId | None = None  # whose flags, and nothing else, it brings back
    returns: tuple[str, ...] = ()  # services that go back to a revision that has passed in an earlier change
    restarts: tuple[str, ...] = ()  # services whose replicas are replaced by others of the same revision
    begun: tuple[str, ...] = ()  # services whose rollout was begun, in order
    waiting_since: Moment | None = None  # for a dependency, with nothing else going on
    ended_at: Moment | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()  # what went otherwise than in order, though the change went on
    cut: int = 0  # requests and connections that were still inside replicas stopped at their drain deadline
    baseline: Tally = Tally()  # the router's counts when it began
    tally: Tally = Tally()  # requests during the change, once ended
    answers_before: tuple[Answers, ...] = ()  # when it began, of the revisions in force then
    answers_base: tuple[Answers, ...] = ()  # when it began, of the revisions that it goes to
    answers_after: tuple[Answers, ...] = ()  # of these, once ended
    token: str = ""  # of the request that asked for it
    waits_for: str = ""  # why it is stuck, while nothing moves; it goes on trying


class ChangeStep(msgspec.Struct, frozen=True):
    """What the coordinator decided. Persist, then act, as with `Step`."""

    change: Change
    rollouts: tuple[Rollout, ...] = ()  # begun, turned round or otherwise changed
    events: tuple[Event, ...] = ()
    wake_at: Moment | None = None
