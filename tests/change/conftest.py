"""Changes over services whose rollouts are moved by hand."""

import pytest
from msgspec.structs import replace

from midair import change as changes
from midair.model.ids import ReplicaId
from midair.model.project import Dependency
from midair.model.seen import ReplicaSeen
from midair.testing.scenario import applied, service_of


class Board:
    """Rollouts of a project, and the change over them."""

    def __init__(self):
        self.rollouts, self.change, self.events, self.now = {}, None, [], 0.0

    def accept(self, after, before=None, number=1, **more):
        previous = self.change
        self.change = changes.accept(before, after, None, previous, number=number, now=self.now, **more)
        return self.change

    def advance(self):
        """Until nothing more is decided."""
        for _ in range(20):
            step = changes.advance(self.change, self.rollouts, self.now)
            again = step.change is not self.change or step.rollouts
            self.change, self.wake_at = step.change, step.wake_at
            self.events += step.events
            self.rollouts |= {one.service: one for one in step.rollouts}
            if not again:
                return self.change
        raise AssertionError("it does not come to rest")

    def put(self, name, phase, **more):
        self.rollouts[name] = replace(self.rollouts[name], phase=phase, **more)

    def complete(self, *names):
        """These rollouts end well, with their replicas there."""
        for name in names:
            goal = self.rollouts[name].goal
            replicas = tuple(
                ReplicaSeen(ReplicaId(f"{name}/{goal.revision}/{place}"), "ready", 0.0)
                for place in range(goal.replicas)
            )
            self.put(name, "completed", replicas=replicas)

    def fail(self, name, reason="it broke"):
        rollout = self.rollouts[name]
        self.put(name, "rolling_back", back=True, goal=rollout.stable, policy=rollout.stable_policy, reason=reason)

    def phases(self):
        return {name: one.phase for name, one in self.rollouts.items()}


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def state():
    """A state of a project: name=revision, with what each depends on."""

    def make(depends=None, ports=None, replicas=1, **revisions):
        services = {}
        for name, revision in revisions.items():
            on = {other: Dependency(condition) for other, condition in (depends or {}).get(name, {}).items()}
            more = {"ports": ports[name]} if ports and name in ports else {}
            services[name] = (service_of(name, replicas, depends_on=on, **more), revision)
        return applied(services)

    return make


@pytest.fixture
def running(board):
    """Bring a state up, and be done with it."""

    def make(after):
        board.accept(after)
        for _ in range(5):
            board.advance()
            board.complete(*board.rollouts)
        board.advance()
        assert board.change.phase == "completed"
        return after

    return make
