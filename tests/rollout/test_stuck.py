"""A rollback that leads to a revision which fails, too, says so long before its deadline, and goes on trying."""

import pytest
from msgspec.structs import replace

from midair.model.action import StartReplica
from midair.model.project import Restart
from midair.model.rollout import Goal, Policy
from midair.model.seen import ReplicaSeen, Seen, Trouble
from midair.rollout import advance, begin, settle, turn_back

POLICY = Policy(restart=Restart(condition="any"))


@pytest.fixture
def returning():
    """A rollout on its way back to revision a, of which nothing is left."""
    goal, other = Goal("a", 1), Goal("b", 1)
    first = replace(begin("web", 1, goal, POLICY, None, 0.0), phase="completed")
    return turn_back(begin("web", 2, other, POLICY, settle(first), 0.0), 0.0, "b failed")


def crashes(rollout, *, lasts_s=0.5, until=120.0, policy=POLICY, **ended):
    """Play a replica that ends a moment after each start. The moment and the rollout, when it is stuck."""
    rollout = replace(rollout, stable_policy=policy, policy=policy)
    replicas, now = (), 0.0
    while now < until:
        step = advance(rollout, Seen(replicas), now)
        rollout = step.rollout
        if rollout.phase == "stuck":
            return now, rollout
        starts = [action for action in step.actions if isinstance(action, StartReplica)]
        if starts:
            now += lasts_s
            how = {"exit_code": 4, "detail": "ValueError: broken", **ended}
            replicas = (ReplicaSeen(starts[0].replica, "exited", now, attempt=starts[0].attempt, **how),)
        else:
            now = max(now + 0.01, step.wake_at if step.wake_at is not None else until)
    return now, rollout


def test_rollback_to_a_crashing_revision_is_stuck_soon(returning):
    now, rollout = crashes(returning)
    assert 10.0 <= now < 15.0
    assert rollout.reason.startswith("web/a/0 ValueError: broken, ")


def test_rollback_that_is_stuck_ends_when_it_works(returning):
    now, rollout = crashes(returning)
    step = advance(rollout, Seen((ReplicaSeen("web/a/0", "ready", now, attempt=9, ready_at=now),)), now + 1.0)
    assert step.rollout.phase == "rolled_back"


def test_rollback_waits_for_a_second_start(returning):
    now, rollout = crashes(returning, until=1.0)
    step = advance(rollout, Seen((ReplicaSeen("web/a/0", "starting", now, attempt=2),)), now + 60.0)
    assert step.rollout.phase == "rolling_back"


def test_rollback_says_what_is_not_started_again(returning):
    policy = replace(POLICY, restart=Restart(condition="none"))
    _, rollout = crashes(returning, policy=policy)
    assert rollout.reason == "web/a/0 ValueError: broken, and is not started again"


def test_rollback_to_an_unhealthy_replica_is_stuck_soon(returning):
    replicas = (ReplicaSeen("web/a/0", "unhealthy", 5.0, ready_at=1.0, detail="GET / answered 500"),)
    rollout = advance(returning, Seen(replicas), 14.9).rollout
    assert rollout.phase == "rolling_back"
    rollout = advance(rollout, Seen(replicas), 15.0).rollout
    assert (rollout.phase, rollout.reason) == ("stuck", "web/a/0 unhealthy: GET / answered 500")


def test_rollback_whose_start_is_impossible_is_stuck_soon(returning):
    troubles = (Trouble("start web/a/0", 3, 9.0, "image was removed"),)
    rollout = advance(returning, Seen((), troubles=troubles), 11.0).rollout
    assert (rollout.phase, rollout.reason) == ("stuck", "cannot start web/a/0: image was removed")


def test_change_that_may_roll_back_is_judged_by_failures_alone():
    rollout = begin("web", 1, Goal("a", 1), POLICY, None, 0.0)
    troubles = (Trouble("start web/a/0", 5, 19.0, "no space"),)
    assert advance(rollout, Seen((), troubles=troubles), 20.0).rollout.phase == "progressing"
