"""Plays a scenario: the operator asks, the world turns, faults happen; then they stop and all has to end well."""

from collections.abc import Callable

from midair.model.rollout import Abort, Promote, Resume, Rollout, SetHold, Wish
from midair.rollout.phase import FORWARD
from midair.testing.body import FOREVER
from midair.testing.check import Checks
from midair.testing.choose import Chooser, Placed, Seeded
from midair.testing.endings import check_end
from midair.testing.plane import Plane
from midair.testing.scenario import (
    Scenario,
    draw,
    with_data,
    with_fronts,
    with_more,
    with_moves,
    with_paces,
    with_restarts,
    with_worse,
)
from midair.testing.violation import Violation
from midair.testing.world import World

HEATS = (0.0, 0.01, 0.03, 0.08)
CALM_TICKS = 900  # an end must come within this many rounds after the last fault
ROUGH_TICKS = 250
MORE = 1 << 32  # what was thought of later is drawn from another seed, so that each story stays what it was
SETTLED_S = 60.0  # after the end: longer than any back-off; a bad revision that was let in crashes for ever
SHORT_LIVES_S = 600.0  # instead, for a control plane that is dead most of the time


class Play:
    """One run of one scenario."""

    def __init__(self, scenario: Scenario, chooser: Chooser, tell: Callable[[str], None] | None = None) -> None:
        self.scenario = scenario
        self.chooser = chooser
        self.world = World(chooser, scenario.services, scenario.quality)
        if tell is not None:
            self.world.tell = tell
        self.checks = Checks(self.world)
        self.plane = Plane(self.world, chooser, self.checks)
        self.next_ask_at = self.world.now + scenario.asks[0].after_s
        self.asks = list(scenario.asks)
        self.world.keeping = scenario.keeping
        for service, replicas in scenario.foreign.items():
            self.world.publish(service, replicas)

    def begin_well(self) -> None:
        """Let the first change end before anything may fail."""
        self.rough = False
        while self.plane.applied is None:
            self._tick()

    def run(self, disturb: bool) -> None:
        """To the end, which `check_end` judges. `disturb`: replicas and the router may fail by themselves too."""
        self.rough = disturb
        for _ in range(ROUGH_TICKS):
            if not self._tick():
                break
        self._calm()
        for _ in range(CALM_TICKS):
            idle = not self._tick()
            if self._is_over() or (not self._help() and idle):
                break
        disturbed = disturb or self.plane.dies_after_each_commit or self.scenario.is_disturbed
        check_end(self.plane, self.world, undisturbed=not disturbed)

    def _tick(self) -> bool:
        """One round; False when nothing will ever happen again."""
        now = self.world.now
        while self.asks and now >= max(self.next_ask_at, self.plane.asleep_until):
            self._ask()
        if self.rough:
            self._disturb()
        now = self.world.now
        self.plane.tick(now)
        ask_at = max(self.next_ask_at, self.plane.asleep_until) if self.asks else FOREVER
        due = min(self.world.due(), self.plane.wake_at, ask_at)
        if due == FOREVER:
            return False
        self.world.move(max(now, due))
        return True

    def _ask(self) -> None:
        ask = self.asks.pop(0)
        if ask.applied is not None:
            self.plane.accept(ask.applied)
        elif ask.undo:
            self.plane.undo()
        elif ask.restart:
            self.plane.restart()
        elif ask.wish is not None:
            self.plane.wish(ask.service, ask.wish)
        if self.asks:
            self.next_ask_at = self.world.now + self.asks[0].after_s

    def _disturb(self) -> None:
        fault, pick = self.chooser.fault, self.chooser.pick
        for service, bodies in self.world.bodies.items():
            alive = [one for one in bodies.values() if one.state in ("starting", "ready", "unhealthy")]
            if alive and fault("a replica crashes"):
                self.world.crash(alive[pick(len(alive), "which")])
            if alive and fault("a replica turns unhealthy"):
                self.world.hurt(alive[pick(len(alive), "which")])
            if fault("the router cannot be reached"):
                self.world.tables[service].unreachable_until = self.world.now + 3.0
                self.world.tell(f"      ! the router does not answer for {service}")
            elif pick(4, "all forgotten") == 3 and fault("the router forgets"):
                self.world.lose_router(service)
            if service in self.world.fronts.bodies and fault("something happens to a front"):
                self.world.tell(f"      ! the front of {service} {self.world.fronts.hurt(service)}")
        if fault("the clock jumps"):
            self.world.tell("      ! the clock jumps")
            self.world.move(self.world.now + (20.0, 100.0, 4000.0)[pick(3, "how far")])

    def _calm(self) -> None:
        """The faults stop; what hangs gets well; the operator is done."""
        self.world.tell(f"{self.world.now:8.2f} -- from here on nothing fails by itself --")
        self.rough = False
        if isinstance(self.chooser, Seeded):
            self.chooser.heat = 0.0
        if isinstance(self.chooser, Placed):
            self.chooser.armed = False
        self.plane.asleep_until = self.plane.wake_at = self.world.now
        while self.asks:
            self._ask()
        self.world.calm_at = self.world.now
        for bodies in self.world.bodies.values():
            for body in bodies.values():
                if body.state == "starting" and FOREVER > body.ready_due > self.world.now + 5.0:
                    body.ready_due = self.world.now + 1.0
        self.helped: set[str] = set()
        for service in self.plane.rollouts:
            self.plane.wish(service, SetHold(False))

    def _help(self) -> bool:
        """The operator ends what only he can end: pauses, and what is stuck by his own settings."""
        helped = False
        if self.world.now < self.plane.asleep_until:
            return False  # nobody is there to be asked
        for service, rollout in list(self.plane.rollouts.items()):
            wish = self._wish_for(rollout)
            if wish is not None and self.plane.wish(service, wish):
                self.plane.wake_at = self.world.now
                helped = True
        return helped

    def _wish_for(self, rollout: Rollout) -> Wish | None:
        if rollout.phase == "paused":
            again = rollout.service in self.helped
            self.helped.add(rollout.service)
            return Abort() if again else Resume()
        if rollout.phase == "stuck" and not rollout.back:
            return Abort()
        waits = rollout.phase in FORWARD and rollout.policy.strategy.kind == "canary" and rollout.step == 3
        return Promote() if waits and not rollout.promoted else None

    def _is_over(self) -> bool:
        change = self.plane.change
        if change is None or change.ended_at is None:
            return False
        settled_s = SHORT_LIVES_S if self.plane.dies_after_each_commit else SETTLED_S
        return self.world.now > max(change.ended_at, self.world.calm_at) + settled_s


def play_seed(seed: int, tell: Callable[[str], None] | None = None) -> Play:
    """The run of a seed. Raises Violation."""
    chooser = Seeded(seed)
    scenario = draw(chooser)
    chooser.heat = HEATS[chooser.pick(len(HEATS), "heat")]
    more = Seeded(seed + MORE)
    scenario, short = with_more(scenario, more), more.pick(8, "short lives") == 7
    scenario = with_moves(with_worse(with_data(scenario, more), more), Seeded(seed + 2 * MORE))
    scenario = with_paces(with_fronts(scenario, Seeded(seed + 3 * MORE)), Seeded(seed + 4 * MORE))
    scenario = with_restarts(scenario, Seeded(seed + 5 * MORE))
    play = Play(scenario, chooser, tell)
    play.plane.dies_after_each_commit = short
    play.world.reaches = more.pick(6, "an older router") < 5
    try:
        play.run(disturb=chooser.heat > 0)
    except Violation as violation:
        violation.add_note(f"seed {seed}")
        raise
    return play
