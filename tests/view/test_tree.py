"""The tree of services, revisions and replicas that status shows."""

import pytest

from midair.model.ids import ReplicaId
from midair.model.rollout import Goal, Policy, Restarting, Rollout
from midair.model.seen import ReplicaSeen, Seen
from midair.view.tree import service_view

WEB = ReplicaId("web/a/0")


def state_of(state, *, count, again_at, now):
    goal = Goal("a", 1)
    crash = Restarting(WEB, 3, count, again_at)
    rollout = Rollout("web", 1, "completed", goal, goal, Policy(), Policy(), restarting=(crash,))
    seen = Seen((ReplicaSeen(WEB, state, 100.0, 4, ready_at=100.0, exit_code=1 if state == "exited" else None),))
    return service_view(rollout, seen, {}, now).revisions[0].replicas[0].state


@pytest.mark.parametrize(
    ("state", "count", "again_at", "now", "shown"),
    [
        ("exited", 2, 101.0, 100.5, "crashing"),
        ("ready", 2, 99.0, 105.0, "crashing"),
        ("ready", 2, 99.0, 111.0, "ready"),
        ("ready", 1, 99.0, 105.0, "ready"),
        ("exited", 1, 101.0, 100.5, "failed"),
        ("exited", 3, None, 100.5, "failed"),
    ],
)
def test_replica_in_a_crash_loop_is_crashing(state, count, again_at, now, shown):
    assert state_of(state, count=count, again_at=again_at, now=now) == shown


def test_service_without_ports_is_seen_without_a_router():
    goal = Goal("a", 1)
    rollout = Rollout("web", 1, "completed", goal, goal)
    assert service_view(rollout, Seen(()), {}).observed
    assert not service_view(rollout, Seen(None), {}).observed
