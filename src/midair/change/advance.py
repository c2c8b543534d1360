"""Carries a change through several services: in order, all or nothing. Level-triggered, as the rollouts are.

A service's rollout is begun when what it depends on is there. When one turns back, all that were begun turn back.
Services that are no longer wanted are removed last, those that others depend on after the others. The change ends
when every rollout has ended; only then is there no way back (the rollouts are settled).
"""

from msgspec.structs import replace

from midair.change.depend import unmet
from midair.change.policy import goal_of, policy_of
from midair.model.change import Change, ChangePhase, ChangeStep
from midair.model.event import ChangeEnded, Event, PhaseChanged
from midair.model.ids import revision_of
from midair.model.moment import Moment
from midair.model.rollout import Goal, Policy, Rollout
from midair.plan.order import in_order
from midair.rollout import begin, goes_on, settle, turn_back
from midair.rollout.fleet import is_done
from midair.rollout.phase import STEADY, UNDER_WAY

ENDED: frozenset[ChangePhase] = frozenset({"completed", "rolled_back", "superseded"})


def advance(change: Change, rollouts: dict[str, Rollout], now: Moment) -> ChangeStep:
    """Decide what the change does next. `rollouts` are all of the project's, by service, as they are stored."""
    if change.phase in ENDED:
        return ChangeStep(change)
    return _Draft(change, rollouts, now).decide()


class _Draft:
    """The working copy of a change during one `advance`."""

    def __init__(self, change: Change, rollouts: dict[str, Rollout], now: Moment) -> None:
        self.before = change
        self.change = change
        self.rollouts = dict(rollouts)
        self.given = rollouts
        self.now = now
        self.events: list[Event] = []
        self.wake_at: Moment | None = None

    def decide(self) -> ChangeStep:
        if self.change.phase == "pending":
            self.change = replace(self.change, phase="progressing")
        failed = next((one for one in self._begun() if one.back), None)
        if self.change.phase == "progressing" and failed is not None:
            self._go_back(failed.service, failed.reason)
        if self.change.phase == "progressing":
            self._go_on()
        if self.change.phase in ("rolling_back", "stuck"):
            self._come_back()
        self._report_stuck()
        changed = tuple(one for name, one in self.rollouts.items() if self.given.get(name) is not one)
        return ChangeStep(self.change, changed, tuple(self.events), self.wake_at)

    def _begun(self) -> list[Rollout]:
        return [self.rollouts[name] for name in self.change.begun if name in self.rollouts]

    def _go_on(self) -> None:
        services = self.change.after.project.services
        if self._empty_movers():
            return
        due = [name for name in services if self._is_due(name)]
        due = [name for name in in_order(services) if name in due] if len(due) > 1 else due
        waits: dict[str, str] = {}
        for name in due:
            waiting = unmet(services[name], services, self.rollouts, {*due} - {*self.change.begun})
            if waiting is None:
                self._begin(name, goal_of(self.change.after, name), self._policy_at_first(name))
            else:
                waits[name] = waiting
        if self._judge_waiting(waits) or waits:
            return
        complete = all(one.phase == "completed" for one in self._begun())
        if complete and not self._take_ports() and not self._remove_next():
            self._complete()

    def _empty_movers(self) -> bool:
        """End all services whose files are moved before anything begins, in whatever order they begin then.

        Returns whether that is still under way.
        """
        services = self.change.after.project.services
        movers = [name for name in services if services[name].moves and name in self.rollouts]
        for name in movers:
            if name not in self.change.begun:
                self._begin(name, goal_of(self.change.after, name), replace(self._policy_at_first(name), waits=True))
        waiting = [self.rollouts[name] for name in movers if self.rollouts[name].policy.waits]
        return any(rollout.phase == "pending" or not _is_idle(rollout) for rollout in waiting)

    def _is_due(self, name: str) -> bool:
        """Whether a service is not as it is to be, and its rollout was not begun yet by this change."""
        rollout = self.rollouts.get(name)
        if name in self.change.begun:
            return rollout is not None and rollout.policy.waits
        if rollout is None or rollout.phase not in STEADY or not rollout.is_settled:
            return True
        if name in self.change.restarts:
            return True
        if name in self._started_again() and any(one.by_hand for one in rollout.replicas):
            return True
        if rollout.goal != goal_of(self.change.after, name):
            return True
        # Another version of midair reads other settings out of the same file: they come into force with a real change.
        wanted = self._policy(name)
        return wanted not in (rollout.policy, self._policy_before(name))

    def _policy_before(self, name: str) -> Policy | None:
        """What the last completed state asks for, as this version of midair reads it."""
        services = self.change.before.project.services if self.change.before is not None else {}
        return policy_of(services[name], services) if name in services else None

    def _started_again(self) -> set[str]:
        """Services of which the plan says that they are started although nothing about them has changed."""
        steps = self.change.plan.steps if self.change.plan is not None else ()
        return {step.service for step in steps if step.kind == "change"}

    def _begin(self, name: str, goal: Goal, policy: Policy) -> None:
        previous = self.rollouts.get(name)
        taken_over = previous is not None and previous.phase in UNDER_WAY and not goes_on(previous, goal, policy)
        if previous is not None and taken_over and not (previous.policy.waits and name in self.change.begun):
            self.events.append(PhaseChanged(name, previous.phase, "superseded", f"change {self.change.id} took over"))
        self._free_ports(name, policy)
        self.rollouts[name] = begin(
            name, self.change.id, goal, policy, previous, self.now,
            returns=name in self.change.returns,
            restarts=name in self.change.restarts and name not in self.change.begun,
        )  # fmt: skip
        begun = self.change.begun if name in self.change.begun else (*self.change.begun, name)
        self.change = replace(self.change, begun=begun, waiting_since=None)

    def _policy(self, name: str) -> Policy:
        services = self.change.after.project.services
        return policy_of(services[name], services)

    def _policy_at_first(self, name: str) -> Policy:
        """A port goes from one service to another when that one answers: until then the first one has it."""
        policy, rollout = self._policy(name), self.rollouts.get(name)
        others = {
            port.place
            for other, one in self.rollouts.items()
            if other != name and one.goal.revision is not None
            for port in one.policy.ports
        }
        answers = rollout is not None and any(one.state == "ready" for one in rollout.replicas)
        if not answers:
            policy = replace(policy, ports=tuple(port for port in policy.ports if port.place not in others))
        if rollout is None:
            return policy
        services = self.change.after.project.services.values()
        heirs = {port.place for one in services if one.name != name for port in self._policy(one.name).ports}
        left = tuple(port for port in rollout.policy.ports if port.place in heirs and port not in policy.ports)
        return replace(policy, ports=policy.ports + left)

    def _take_ports(self) -> bool:
        """Give the ports to those that waited until they answer. Returns whether there were any."""
        for name in self.change.after.project.services:
            policy = self._policy(name)
            lacks = set(policy.ports) - set(self.rollouts[name].policy.ports)
            if name in self.change.begun and lacks:
                self._begin(name, self.rollouts[name].goal, policy)
        return any(one.phase != "completed" for one in self._begun())

    def _free_ports(self, name: str, policy: Policy) -> None:
        """A published port that moves here from another service leaves that one first."""
        taken = {port.place for port in policy.ports}
        for other, rollout in self.rollouts.items():
            kept = tuple(port for port in rollout.policy.ports if port.place not in taken)
            if other != name and kept != rollout.policy.ports:
                self.rollouts[other] = replace(rollout, policy=replace(rollout.policy, ports=kept))

    def _judge_waiting(self, waits: dict[str, str]) -> bool:
        """Fail the change when a service waits for a dependency and nothing has moved for its progress deadline."""
        if not waits or any(one.phase in UNDER_WAY and not one.policy.waits for one in self._begun()):
            if self.change.waiting_since is not None:
                self.change = replace(self.change, waiting_since=None)
            return False
        name, what = next(iter(waits.items()))
        since = self.now if self.change.waiting_since is None else self.change.waiting_since
        fails_at = since + self.change.after.project.services[name].strategy.progress_deadline_s
        if self.change.waiting_since is None:
            self.change = replace(self.change, waiting_since=since)
        if self.now >= fails_at:
            self._go_back(name, f"waited in vain for {what}")
            return True
        self.wake_at = fails_at
        return False

    def _remove_next(self) -> bool:
        """Begin to remove one of the services that are no longer wanted; those that depend on others go first."""
        gone = [name for name in self._vanished() if name not in self.change.begun]
        if not gone:
            return False
        name = gone[0]
        self._begin(name, Goal(None, 0), self.rollouts[name].policy)
        return True

    def _vanished(self) -> list[str]:
        wanted = self.change.after.project.services
        before = self.change.before.project.services if self.change.before else {}
        gone = [
            name
            for name, one in self.rollouts.items()
            if name not in wanted and (one.goal.revision is not None or not one.is_settled or one.phase not in STEADY)
        ]
        ranks = {name: rank for rank, name in enumerate(in_order(before))}
        return sorted(gone, key=lambda name: (-ranks.get(name, len(ranks)), name))

    def _complete(self) -> None:
        for rollout in self._begun():
            self.rollouts[rollout.service] = settle(rollout)
        self._end("completed", "")

    def _go_back(self, service: str, reason: str) -> None:
        text = f'service "{service}": {reason}'
        self.change = replace(self.change, phase="rolling_back", reason=text, waiting_since=None)

    def _concerned(self) -> list[Rollout]:
        """All that go back with the change: also what a superseded one began and this one had no time for."""
        return [
            one
            for name, one in self.rollouts.items()
            if name in self.change.begun or one.phase in UNDER_WAY or not one.is_settled
        ]

    def _come_back(self) -> None:
        """Turn round whatever is not yet on its way back, and see whether all are back."""
        concerned = self._concerned()
        for rollout in concerned:
            if not rollout.back:
                turned = turn_back(rollout, self.now, f"change {self.change.id} goes back")
                self.events.append(PhaseChanged(rollout.service, rollout.phase, turned.phase, turned.reason))
                self.rollouts[rollout.service] = turned
        phases = {self.rollouts[one.service].phase for one in concerned}
        stuck = "stuck" in phases and phases <= {"rolled_back", "stuck"}
        if phases <= {"rolled_back"}:
            self._end("rolled_back", self.change.reason)
        elif stuck != (self.change.phase == "stuck"):
            self.change = replace(self.change, phase="stuck" if stuck else "rolling_back")

    def _report_stuck(self) -> None:
        """Say once that nothing moves any more, so that nobody who follows the change waits for ever."""
        if self.change.phase in ENDED:
            return
        concerned = self._concerned() if self.change.phase in ("rolling_back", "stuck") else self._begun()
        stuck = [one for one in concerned if one.phase == "stuck"]
        moves = any(one.phase in UNDER_WAY - {"stuck", "paused"} for one in concerned)
        text = "" if moves else "; ".join(f'service "{one.service}": {one.reason}' for one in stuck)
        if text and not self.change.waits_for:
            self.events.append(ChangeEnded(self.change.id, "stuck", text))
        if text != self.change.waits_for:
            self.change = replace(self.change, waits_for=text)

    def _end(self, phase: ChangePhase, reason: str) -> None:
        self.change = replace(self.change, phase=phase, ended_at=self.now, reason=reason, waits_for="")
        self.events.append(ChangeEnded(self.change.id, phase, reason))


def _is_idle(rollout: Rollout) -> bool:
    """Whether nothing uses the files that are moved: those of the goal's revision are moved when it starts."""
    old = [replica for replica in rollout.replicas if revision_of(replica.id) != rollout.goal.revision]
    return all(is_done(replica, rollout.policy) for replica in old)
