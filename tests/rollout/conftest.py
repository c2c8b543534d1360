"""Stories of rollouts as text: what is seen, then `advance`, then what was decided.

    see a/0 ready, a/1 starting 2; settled 3 a/0; open a/0=2; overdue a/0=1; trouble "stop web/a/0" 2; unknown replicas
    at 12.5                 the moment from now on
    advance                 what was decided: phase, actions, wake
    serving REVISION N      a completed rollout with N replicas to begin with, routes of generation 2
    wish pause | resume | promote | abort | scale 3 | hold on
    settle | begin REVISION REPLICAS | turn back REASON

The lines between `advance` and the next empty line are written by the core; MIDAIR_GOLDEN=rewrite writes them again.
"""

import re

import pytest
from msgspec.structs import replace

from midair import rollout as core
from midair.errors import Refused
from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId, RevisionId
from midair.model.project import Drain, Port, Restart, Strategy, StrategyStep, Update
from midair.model.rollout import Abort, Goal, Pause, Policy, Promote, Resume, Scale, SetHold
from midair.model.seen import ReplicaSeen, Route, RouteSeen, Seen, Trouble
from midair.testing.story import describe

WISHES = {"pause": Pause(), "resume": Resume(), "promote": Promote(), "abort": Abort()}


@pytest.fixture
def stage():
    return Stage()


class Stage:
    """One service on which a story is played."""

    def __init__(self) -> None:
        self.now = 0.0
        self.policy = Policy(
            update=Update(order="start-first"), rollback=Update(order="start-first"), ports=(Port(80, 80),),
            drain=Drain(timeout_s=10.0),
        )  # fmt: skip
        self.rollout = None
        self.seen = Seen()
        self.front = None  # FrontSeen
        self.asked = None  # the routes asked for last, and when
        self.since = {}  # (replica, attempt, state) -> moment
        self.ready_at = {}

    def play(self, line: str) -> list[str]:
        """The answer to one line."""
        verb, _, rest = line.partition(" ")
        return list(getattr(self, f"do_{verb.replace('-', '_')}")(rest) or ())

    def do_at(self, rest: str) -> None:
        self.now = float(rest)

    def do_policy(self, rest: str) -> None:
        """name=value …, of update (`order parallelism delay monitor action ratio`), strategy, restart, ports, drain."""
        update, policy = {}, {}
        for name, value in (part.split("=") for part in rest.split()):
            if name in ("order", "failure_action"):
                update[name] = value
            elif name in ("parallelism",):
                update[name] = int(value)
            elif name in ("delay_s", "monitor_s", "max_failure_ratio"):
                update[name] = float(value)
            elif name == "strategy":
                policy["strategy"] = Strategy(kind=value, steps=STEPS if value == "canary" else ())
            elif name == "restart":
                policy["restart"] = Restart(condition=value)
            elif name == "beside":
                policy["beside"] = True
            elif name == "ports":
                policy["ports"] = ()
        base = {"order": "start-first", **update}
        fields = {"update": Update(**base), "rollback": Update(order=base["order"]), "drain": Drain(timeout_s=10.0)}
        self.policy = Policy(**{"ports": (Port(80, 80),), **fields, **policy})

    def do_begin(self, rest: str) -> list[str]:
        revision, replicas = rest.split()
        goal = Goal(None if revision == "nothing" else RevisionId(revision), int(replicas))
        self.rollout = core.begin("web", 1, goal, self.policy, self.rollout, self.now)
        return []

    def do_serving(self, rest: str) -> None:
        revision, count = rest.split()
        policy, self.policy = self.policy, replace(self.policy, update=replace(self.policy.update, monitor_s=0.0))
        names = [f"{revision}/{place}" for place in range(int(count))]
        ready = ", ".join(f"{name} ready" for name in names)
        self.do_begin(rest)
        routed = f"; settled 2 {' '.join(names)}" if policy.ports or policy.front else ""
        for seen in ("nothing; settled 0", f"{ready}; settled 1", ready + routed):
            self.do_see(seen)
            self.do_advance("")
        self.policy = policy
        self.rollout = replace(core.settle(self.rollout), policy=policy, stable_policy=policy)

    def do_settle(self, rest: str) -> None:
        self.rollout = core.settle(self.rollout)

    def do_turn(self, rest: str) -> None:
        self.rollout = core.turn_back(self.rollout, self.now, rest.removeprefix("back "))

    def do_wish(self, rest: str) -> list[str]:
        name, _, value = rest.partition(" ")
        wish = Scale(int(value)) if name == "scale" else SetHold(value == "on") if name == "hold" else WISHES[name]
        try:
            self.rollout = core.request(self.rollout, wish, self.now)
        except Refused as refused:
            return [f"refused: {refused.message}"]
        return [f"taken: {self.rollout.phase}"]

    def do_see(self, rest: str) -> None:
        replicas, route, troubles = (), None, []
        for part in (one.strip() for one in rest.split(";")):
            if part == "unknown replicas":
                replicas = None
            elif part == "unknown routes":
                route = None
            elif part.startswith("settled"):
                route = self._settled(part)
            elif part.startswith("open"):
                inside = dict(one.split("=") for one in part.split()[1:])
                route = RouteSeen(route.settled, route.routes, open={f"web/{k}": int(v) for k, v in inside.items()})
            elif part.startswith("overdue"):
                overdue = dict(one.split("=") for one in part.split()[1:])
                route = replace(route, hold=True, overdue={f"web/{k}": int(v) for k, v in overdue.items()})
            elif part.startswith("trouble"):
                key, count = re.fullmatch(r'trouble "(.*)" (\d+)', part).groups()
                troubles.append(Trouble(key, int(count), self.now, "it failed"))
            elif part and part != "nothing":
                replicas = tuple(self._replica(one.strip()) for one in part.split(","))
        self.seen = Seen(replicas, route, tuple(troubles), front=self.front)

    def do_advance(self, rest: str) -> list[str]:
        routes, asked_at = self.asked or (None, None)
        seen = replace(self.seen, asked_at=asked_at if routes == self.rollout.asked else None)
        step = core.advance(self.rollout, seen, self.now)
        self.asked = next(((one, self.now) for one in step.actions if isinstance(one, SetRoutes)), self.asked)
        self.rollout = step.rollout
        told = [f"{step.rollout.phase}" + (f": {step.rollout.reason}" if step.rollout.reason else "")]
        told += [f"  {describe(action)}" for action in step.actions]
        told += [f"  wake at {round(step.wake_at, 3):g}"] if step.wake_at is not None else []
        return told

    def _settled(self, part: str) -> RouteSeen:
        number, *names = part.split()[1:]
        return RouteSeen(int(number), tuple(Route(ReplicaId(f"web/{name}"), self._address(name)) for name in names))

    def _replica(self, text: str) -> ReplicaSeen:
        name, state, *more = text.split()
        attempt = next((int(one) for one in more if one.isdigit()), 1)
        code = next((int(one.removeprefix("code=")) for one in more if one.startswith("code=")), None)
        since = self.since.setdefault((name, attempt, state), self.now)
        if state == "ready":
            self.ready_at.setdefault((name, attempt), self.now)
        return ReplicaSeen(
            ReplicaId(f"web/{name}"), state, since, attempt, self._address(name, attempt),
            self.ready_at.get((name, attempt)), code, own_volumes=("/data",) if "data" in more else (),
        )  # fmt: skip

    def _address(self, name: str, attempt: int = 1) -> str:
        return f"{name}:{attempt}"


STEPS = (StrategyStep(weight=25), StrategyStep(pause_s=60.0), StrategyStep(weight=50), StrategyStep(pause_s=-1.0))
