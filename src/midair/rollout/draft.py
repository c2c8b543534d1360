"""The working copy of a rollout during one `advance`: changed in place, then frozen. It never outlives the call."""

from operator import attrgetter

import msgspec

from midair.model.action import Action
from midair.model.event import Event, PhaseChanged
from midair.model.ids import ReplicaId, revision_of
from midair.model.moment import Moment, Span
from midair.model.project import Update
from midair.model.rollout import Phase, Rollout, Step
from midair.model.seen import ReplicaSeen, RouteSeen, Seen
from midair.rollout.backoff import backoff
from midair.rollout.phase import check_move

FIELDS = (
    "phase", "goal", "policy", "back", "alone", "reason", "phase_at", "waiting_since", "waited_s", "reached", "step",
    "step_at", "promoted", "asked", "created", "draining", "stopping", "restarting", "failures", "replicas",
    "by_number", "reachable", "waits", "replaces_running", "done", "done_before", "replaces",
)  # fmt: skip
_FIELDS_OF = attrgetter(*FIELDS)
TROUBLE_FIRST_S = 0.5  # wait after the first failure of an action
UNKNOWN_S = 1.0  # look again this soon when the runtime or the router could not be asked


class Draft:
    """What is being decided: the fields of the rollout, what was seen, and what came of it so far."""

    def __init__(self, rollout: Rollout, seen: Seen, now: Moment) -> None:
        self.rollout = rollout
        self.seen = seen
        self.now = now
        # What failed before this rollout began was asked for by another one, maybe with other settings.
        self.troubles = tuple(one for one in seen.troubles if one.last_at >= rollout.started_at)
        self.events: list[Event] = []
        self.actions: list[Action] = []
        self.wake_at: Moment | None = None
        self.phase: Phase = rollout.phase
        self.goal = rollout.goal
        self.policy = rollout.policy
        self.back = rollout.back
        self.goes_back = rollout.back or rollout.returns  # to a revision that has passed before
        self.alone = rollout.alone
        self.reason = rollout.reason
        self.phase_at = rollout.phase_at
        self.waiting_since = rollout.waiting_since
        self.waited_s = rollout.waited_s
        self.reached = rollout.reached
        self.step = rollout.step
        self.step_at = rollout.step_at
        self.promoted = rollout.promoted
        self.asked = rollout.asked
        self.created = rollout.created
        self.draining = rollout.draining
        self.stopping = rollout.stopping
        self.restarting = rollout.restarting
        self.failures = rollout.failures
        self.replicas = rollout.replicas
        self.done = rollout.done
        self.done_before = rollout.done_before
        self.replaces = rollout.replaces
        self.by_number = rollout.by_number
        self.reachable = rollout.reachable
        self.waits = rollout.waits
        self.replaces_running = rollout.replaces_running

    @property
    def update(self) -> Update:
        """The settings in force: those for going on, or those for going back."""
        return self.policy.rollback if self.goes_back else self.policy.update

    @property
    def monitor_s(self) -> Span:
        """How long a new replica is watched after it was ready. A revision that has passed is not watched again."""
        return 0.0 if self.goes_back else self.policy.update.monitor_s

    def is_new(self, replica: ReplicaId) -> bool:
        """Whether a replica is what the rollout goes to: of the goal's revision, and none that a restart replaces."""
        return revision_of(replica) == self.goal.revision and replica not in self.replaces

    @property
    def is_numbered(self) -> bool:
        """Whether data goes from replica to replica by number, so that two of one number may not run together."""
        return self.by_number and not self.policy.beside

    @property
    def stops_first(self) -> bool:
        """Whether a replica ends before the next one starts."""
        return self.update.order == "stop-first" or self.is_numbered

    @property
    def generation(self) -> int:
        """Of the routes asked for last."""
        return self.asked.generation if self.asked else 0

    @property
    def uses_routes(self) -> bool:
        """Whether a router is to know of this service. Once it does, it stays so."""
        return self.asked is not None or bool(self.policy.ports) or self.policy.front

    @property
    def settled(self) -> RouteSeen | None:
        """The routes in force when they are those asked for last, else None."""
        route = self.seen.route
        if route is None or self.asked is None:
            return None
        return route if route.settled == self.asked.generation else None

    def wake(self, at: Moment) -> None:
        """Come back by then."""
        if self.wake_at is None or at < self.wake_at:
            self.wake_at = at

    def move(self, phase: Phase, reason: str) -> None:
        """Go to another phase, and say so."""
        if phase == self.phase:
            return
        check_move(self.phase, phase)
        self.events.append(PhaseChanged(self.rollout.service, self.phase, phase, reason))
        self.phase, self.reason, self.phase_at = phase, reason, self.now

    def act(self, action: Action) -> bool:
        """Ask for an action, unless it failed too short a time ago."""
        for trouble in self.troubles:
            if trouble.key == action.key:
                again_at = trouble.last_at + backoff(trouble.count, TROUBLE_FIRST_S)
                if self.now < again_at:
                    self.wake(again_at)
                    return False
        self.actions.append(action)
        return True

    def freeze(self) -> Step:
        """The step that was decided."""
        before, after = _FIELDS_OF(self.rollout), _FIELDS_OF(self)
        rollout = self.rollout
        if before != after:
            changed = {name: new for name, old, new in zip(FIELDS, before, after, strict=True) if new != old}
            rollout = msgspec.structs.replace(rollout, **changed)
        wake_at = None if self.wake_at is None else max(self.wake_at, self.now)
        return Step(rollout, tuple(self.events), tuple(self.actions), wake_at)


def find(replicas: tuple[ReplicaSeen, ...], replica: ReplicaId) -> ReplicaSeen | None:
    """The replica with this id among those seen."""
    return next((one for one in replicas if one.id == replica), None)


def spell(seconds: Span) -> str:
    """A short span for reasons: 0.4s."""
    return f"{max(0.0, seconds):.1f}s"
