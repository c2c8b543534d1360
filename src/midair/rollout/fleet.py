"""The replicas of a service as the core thinks of them: new, old and ending; which are good. Looks, changes nothing."""

from midair.model.ids import ReplicaId, ordinal_of, revision_of
from midair.model.moment import Moment, Span
from midair.model.rollout import Policy
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft

_RANK = {"ready": 0, "starting": 1, "unhealthy": 2, "stopping": 3, "exited": 4}


class Fleet:
    """Replicas sorted by what they are to the rollout. `new` are what it goes to, `old` all others."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.new: list[ReplicaSeen] = []
        self.old: list[ReplicaSeen] = []
        self.ending: list[ReplicaSeen] = []  # a stop was asked for
        for replica in draft.replicas:
            if replica.id in draft.stopping:
                self.ending.append(replica)
            elif draft.is_new(replica.id):
                self.new.append(replica)
            else:
                self.old.append(replica)
        route = draft.seen.route
        self.routed = {one.replica: one.address for one in route.routes} if route else {}
        self.asked = {one.replica for one in draft.rollout.routes}
        self.fit = [one for one in self.new if self.is_fit(one)]
        self.good = [one for one in self.fit if self.serves(one)]

    def is_fit(self, replica: ReplicaSeen) -> bool:
        """Did what it was there for, or is ready and has passed `monitor` if this change made it."""
        if is_done(replica, self.draft.policy):
            return True
        return replica.state == "ready" and not self.bakes(replica)

    def bakes(self, replica: ReplicaSeen) -> bool:
        """Is ready, but could still turn out to be a failure of this change."""
        draft = self.draft
        if draft.promoted or draft.phase in ("completed", "rolled_back") or replica.id not in draft.created:
            return False
        return replica.state == "ready" and draft.now < self.passes_at(replica)

    def passes_at(self, replica: ReplicaSeen) -> Moment:
        """When a ready replica has passed `monitor`, and outlived its last time where it failed later than that."""
        return passes_at(replica, monitor_of(self.draft, replica))

    def serves(self, replica: ReplicaSeen) -> bool:
        """Is in the routes in force, if it is meant to be in any."""
        return (
            not self.draft.uses_routes
            or is_done(replica, self.draft.policy)
            or (replica.id in self.routed and self.routed[replica.id] == replica.address)
        )

    @property
    def alive(self) -> int:
        """Replicas that use resources, those on their way out included, and those that will be back."""
        return len(self._alive())

    @property
    def counted(self) -> int:
        """Replicas that count against the surge: those on their way out only where the file, or the order, says so."""
        draft = self.draft
        if draft.policy.drain.in_surge or draft.stops_first or draft.alone:
            return self.alive
        return len(self._alive() - {one.replica for one in draft.draining} - set(draft.stopping))

    def _alive(self) -> set[ReplicaId]:
        counted = {one.id for one in self.new}
        counted |= {one.id for one in self.ending if one.state != "exited"}
        counted |= {one.id for one in self.old if one.state != "exited" or self.comes_back(one)}
        return counted.union(self.draft.seen.starting)

    def comes_back(self, replica: ReplicaSeen) -> bool:
        """Whether an old replica is worth a wait: only the last good revision's is, and only on the way forward."""
        rollout = self.draft.rollout
        if self.draft.back or replica.by_hand or revision_of(replica.id) != rollout.stable.revision:
            return False
        condition = rollout.stable_policy.restart.condition
        return replica.state != "exited" or condition == "any" or (condition != "none" and replica.exit_code != 0)

    def ranked_new(self) -> list[ReplicaSeen]:
        """The new replicas, those most worth keeping first."""
        good = {one.id for one in self.good}
        return sorted(
            self.new,
            key=lambda one: (one.id not in good, _RANK[one.state], -self._serving(one), ordinal_of(one.id)),
        )

    def ranked_old(self) -> list[ReplicaSeen]:
        """The old replicas, those most worth keeping first: what serves now is not exchanged for what drains."""
        stable = self.draft.rollout.stable.revision
        return sorted(
            self.old,
            key=lambda one: (
                _RANK[one.state],
                -self._serving(one),
                revision_of(one.id) != stable,
                ordinal_of(one.id),
                one.id,
            ),
        )

    def _serving(self, replica: ReplicaSeen) -> int:
        """2: in the routes asked for and in force; 1: in one of them; 0: it drains, or was never routed."""
        return (replica.id in self.asked) + (replica.id in self.routed)

    def is_useful(self, replica: ReplicaSeen) -> bool:
        """Whether an old replica serves, or is of the last good revision and soon will."""
        return replica.state == "ready" or self.comes_back(replica)

    def free_ordinals(self) -> list[int]:
        """Places that no replica of the goal's revision holds, lowest first, as many as could be needed.

        Where data goes by number, there are as many places as replicas, each free when nobody is left there.
        """
        draft = self.draft
        taken: set[ReplicaId] = {one.id for one in draft.replicas} | set(draft.stopping)
        held = {ordinal_of(one) for one in taken if revision_of(one) == draft.goal.revision}
        places = [place for place in range(draft.goal.replicas + len(held)) if place not in held]
        if not draft.is_numbered:
            return places
        taken.update(draft.seen.starting)
        others = {ordinal_of(one) for one in taken if revision_of(one) != draft.goal.revision}
        return [place for place in range(draft.goal.replicas) if place not in held | others]


def monitor_of(draft: Draft, replica: ReplicaSeen) -> Span:
    """How long a replica is watched after it was ready."""
    lasted = [one.lasted_s for one in draft.failures if one.replica == replica.id and one.lasted_s is not None]
    # After a pause of a day nobody waits another day to see whether it lasts as long again.
    return draft.monitor_s + min(max(lasted, default=0.0), draft.policy.strategy.progress_deadline_s)


def passes_at(replica: ReplicaSeen, monitor_s: float) -> float:
    """When a ready replica has passed `monitor`."""
    return (replica.since if replica.ready_at is None else replica.ready_at) + monitor_s


def is_done(replica: ReplicaSeen, policy: Policy) -> bool:
    """A one-shot that did its work: it ended well, and is not to come back. What publishes ports is never done."""
    published = any(not port.inside for port in policy.ports)
    ended_well = replica.state == "exited" and replica.exit_code == 0
    return ended_well and policy.restart.condition != "any" and not published
