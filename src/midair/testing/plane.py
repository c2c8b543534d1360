"""A simulated control plane: observes, advances, commits, performs; and dies where the chooser says."""

from collections.abc import Iterable

from midair import change as changes
from midair import rollout as rollouts
from midair.engine.adopt import adopted
from midair.engine.force import in_force
from midair.errors import Refused
from midair.model.action import Action, SetRoutes, StartReplica
from midair.model.change import Change
from midair.model.ids import ReplicaId
from midair.model.moment import Moment
from midair.model.project import Applied
from midair.model.rollout import Rollout, Step, Wish
from midair.model.seen import ReplicaSeen, RouteSeen, Seen, Trouble
from midair.testing.body import FOREVER
from midair.testing.check import Checks
from midair.testing.choose import Chooser
from midair.testing.story import tell_step
from midair.testing.world import World

Look = tuple[tuple[ReplicaSeen, ...], RouteSeen | None, dict[ReplicaId, str]]  # the last: the limits they had


class Died(Exception):
    """The control plane is gone for a while. What was committed stays; what it had in mind does not."""


class Plane:
    """The engine and the store of one project. What is in `rollouts` and `history` is committed."""

    acts_before_commit = False  # a planted bug

    def __init__(self, world: World, chooser: Chooser, checks: Checks) -> None:
        self.world = world
        self.chooser = chooser
        self.checks = checks
        self.rollouts: dict[str, Rollout] = {}
        self.history: list[Change] = []
        self.applied: Applied | None = None  # by the last completed change
        self.troubles: dict[str, dict[str, Trouble]] = {}
        self.looks: dict[str, list[Look]] = {}
        self.asked: dict[str, tuple[SetRoutes, Moment]] = {}  # by service, in this life
        self.dies_after_each_commit = False
        self.asleep_until: Moment = 0.0
        self.wake_at: Moment = 0.0
        self.begun = 0
        self.forgotten: set[int] = set()  # actions under way of which it has lost track by dying
        self.fresh: dict[str, bool] = {}  # by service: what is acted on is what is so

    @property
    def change(self) -> Change | None:
        """The change under way, or the last one."""
        return self.history[-1] if self.history else None

    def accept(self, after: Applied, undoes: Change | None = None, restarts: Iterable[str] = ()) -> None:
        """Take a change; one that is under way is superseded."""
        now, previous = self.world.now, self.change
        self._adopt(after)
        change = changes.accept(
            self.applied, after, None, previous, number=len(self.history) + 1, now=now,
            kind="undo" if undoes else "restart" if restarts else "up", undoes=undoes.id if undoes else None,
            restarts=restarts,
            returns=changes.returning(self.history, after) if undoes else (),
        )  # fmt: skip
        if previous is not None and previous.ended_at is None:
            self.history[-1] = changes.supersede(previous, change, now)
            self.checks.marks["a change was superseded"] += 1
        self.history.append(change)
        self.world.tell(f"{now:8.2f} change {change.id} is asked for")

    def _adopt(self, after: Applied) -> None:
        """What runs before the first change is the state that it starts from."""
        replicas = [one for service in self.world.bodies for one in self.world.look(service)[0]]
        if not self.history and (found := adopted(after, replicas)):
            self.applied = found[0]
            self.rollouts = {one.service: one for one in found[1]}

    def undo(self) -> None:
        """Take back the last change, if there is one."""
        try:
            target = changes.undo_target(self.history)
        except Refused:
            return
        assert target.before is not None
        self.accept(target.before, target)

    def restart(self) -> None:
        """Replace every replica of what was asked for last by one of the same revision."""
        change = self.change
        goes_on = change is not None and change.phase in ("pending", "progressing")
        base = change.after if change is not None and goes_on else self.applied
        if base is not None and base.revisions:
            self.checks.marks["a restart"] += 1
            self.accept(base, restarts=tuple(base.revisions))

    def wish(self, service: str, wish: Wish) -> bool:
        """Store an operator's wish; False when it makes no sense now."""
        if service not in self.rollouts:
            return False
        before = self.rollouts[service]
        try:
            self.rollouts[service] = rollouts.request(before, wish, self.world.now)
        except Refused:
            return False
        self.checks.wished(before, self.rollouts[service], wish)
        self.world.tell(f"{self.world.now:8.2f} operator: {wish} for {service}")
        return True

    def tick(self, now: Moment) -> None:
        """One round over everything, or as much of it as the control plane lives to do."""
        if now < self.asleep_until:
            return
        self.wake_at = FOREVER
        try:
            self._round(now)
        except Died:
            away = (0.0, 0.3, 5.0, 25.0)[self.chooser.pick(4, "how long it is dead")]
            self.world.tell(f"      ! the control plane dies for {away}s")
            self.troubles.clear()
            self.looks.clear()
            self.asked.clear()
            self.forgotten.update(id(action) for _, _, action, _ in self.world.late)
            self.asleep_until = self.wake_at = now + away

    def _round(self, now: Moment) -> None:
        """As the engine does it: all rollouts, then the change over them, one commit, then the actions."""
        before, applied = self.rollouts, in_force(self.change, self.applied, self.rollouts)
        services = applied.project.services if applied is not None else {}
        self.world.in_force({name: str(one.fields.get("mem_limit", "")) for name, one in services.items()})
        steps = {service: self._advance(service, now) for service in before}
        after = {service: step.rollout for service, step in steps.items()}
        change, taken = self._coordinate(after, now)
        if self.acts_before_commit:
            self._act(steps, taken, now)
        if change is not self.change or any(after[name] is not before.get(name) for name in after):
            self._maybe_die("it dies before the commit")
            self._commit(change, after, now)
            if self.dies_after_each_commit:
                self.checks.marks["it dies after the commit"] += 1
                raise Died
        if not self.acts_before_commit:
            self._act(steps, taken, now)

    def _advance(self, service: str, now: Moment) -> Step:
        before = self.rollouts[service]
        seen = self._observe(service)
        step = rollouts.advance(before, seen, now)
        self.checks.decided(before, seen, step, now)
        tell_step(self.world.tell, now, step)
        if step.wake_at is not None and step.wake_at < self.wake_at:
            self.wake_at = step.wake_at
        return step

    def _coordinate(self, after: dict[str, Rollout], now: Moment) -> tuple[Change | None, set[str]]:
        """The change over the rollouts; what it began, turned round or settled is put into `after`."""
        change = self.change
        if change is None or change.ended_at is not None:
            return change, set()
        step = changes.advance(change, after, now)
        self.checks.coordinated(change, step, after)
        if step.wake_at is not None and step.wake_at < self.wake_at:
            self.wake_at = step.wake_at
        for one in step.rollouts:
            after[one.service] = one
        if step.rollouts or step.change.ended_at is not None:
            self.wake_at = now
        return step.change, {one.service for one in step.rollouts}

    def _commit(self, change: Change | None, after: dict[str, Rollout], now: Moment) -> None:
        self.rollouts = after
        if change is not None and change is not self.change:
            assert self.change is not None
            self.begun += len(change.begun) - len(self.change.begun)
            self.history[-1] = change
            if change.phase == "completed":
                self.applied = change.after
            self.world.tell(f"{now:8.2f} change {change.id} {change.phase} {change.reason}")

    def _act(self, steps: dict[str, Step], taken: set[str], now: Moment) -> None:
        for service, step in steps.items():
            if service in taken:
                continue  # what the change has just touched is looked at anew
            for action in step.actions:
                self._maybe_die("it dies before an action")
                self.checks.acts(self.rollouts[service], action)
                if isinstance(action, StartReplica) and self.change is not None and all(self.fresh.values()):
                    self.checks.nothing_runs_where_files_move(self.change, self.rollouts, action.replica)
                if isinstance(action, StartReplica) and action.attempt == 1 and self.fresh[service]:
                    begun = {
                        one.replica
                        for _, _, one, _ in self.world.late
                        if isinstance(one, StartReplica) and id(one) not in self.forgotten
                    }
                    self.checks.not_too_many_are_alive(self.rollouts[service], action.replica, begun)
                if self._perform(service, action, now):
                    self.wake_at = now  # look at what came of it

    def _perform(self, service: str, action: Action, now: Moment) -> bool:
        troubles = self.troubles.setdefault(service, {})
        if isinstance(action, SetRoutes):
            self.asked[service] = action, now
        if refusal := self.world.refusal(service, action):
            works, text = False, refusal
        elif self.chooser.fault("an action fails"):
            works, text = False, "it failed"
        elif self.chooser.fault("the answer to an action is lost"):
            works, text = True, "no answer"
        else:
            works, text = True, ""
        begun = self.world.perform(service, action) if works else True
        if text:
            count = troubles[action.key].count + 1 if action.key in troubles else 1
            troubles[action.key] = Trouble(action.key, count, now, text)
            self.world.tell(f"      ! {action.key}: {text}")
        else:
            troubles.pop(action.key, None)
        return begun

    def _observe(self, service: str) -> Seen:
        replicas, route = self.world.look(service)
        looks = self.looks.setdefault(service, [])
        looks.append((replicas, route, self.world.limits_now(service)))
        if len(looks) > 4:
            del looks[0]
        seen_replicas: tuple[ReplicaSeen, ...] | None = replicas
        if self.chooser.fault("replicas cannot be seen"):
            seen_replicas, why = None, "the replicas are not known"
        elif self.chooser.fault("replicas are seen as they were"):
            old, _, had = looks[self.chooser.pick(len(looks), "how old")]
            seen_replicas, why = self.world.compared(service, old, had), "the replicas are old news"
        else:
            why = ""
        if self.chooser.fault("routes cannot be seen"):
            route, why = None, f"{why} the routes are not known"
        elif self.chooser.fault("routes are seen as they were"):
            route, why = looks[self.chooser.pick(len(looks), "how old")][1], f"{why} the routes are old news"
        self.fresh[service] = not why
        if why:
            self.world.tell(f"      ! {service}: {why}")
        starting = [
            action.replica
            for _, name, action, _ in self.world.late
            if name == service and isinstance(action, StartReplica) and id(action) not in self.forgotten
        ]
        routes, asked_at = self.asked.get(service, (None, None))
        return Seen(
            seen_replicas, route, tuple(self.troubles.get(service, {}).values()), starting=tuple(starting),
            front=self.world.fronts.seen(service),
            asked_at=asked_at if routes == self.rollouts[service].asked else None,
        )  # fmt: skip

    def _maybe_die(self, why: str) -> None:
        if self.chooser.fault(why):
            self.checks.marks[why] += 1
            raise Died
