"""Back to a revision that has passed: all at once, by `rollback_config`, without monitor and steps."""

import msgspec
import pytest
from msgspec.structs import replace

from midair.model.ids import RevisionId
from midair.model.project import Port, Strategy, StrategyStep, Update
from midair.model.rollout import Goal, Policy, Rollout
from midair.model.seen import ReplicaSeen, Route, RouteSeen, Seen
from midair.rollout import advance, begin, settle, turn_back

REPLICAS = 4
POLICY = Policy(
    update=Update(order="start-first", monitor_s=60.0),
    rollback=Update(order="start-first", monitor_s=60.0, failure_action="pause"),
    ports=(Port(80, 80),),
    all_return=True,
)


def seen(rollout, revision, *, at):
    """All replicas of a revision ready, and whatever was asked of the router in force."""
    asked = rollout.asked
    route = RouteSeen(asked.generation, asked.routes) if asked is not None else RouteSeen(0)
    return Seen(replicas_of(revision, "ready", at), route)


def replicas_of(revision, state, at=0.0):
    return tuple(
        ReplicaSeen(f"web/{revision}/{place}", state, at, address=f"{revision}:{place}", ready_at=at)
        for place in range(REPLICAS)
    )


def running(revision, policy=POLICY):
    """A completed rollout of a revision."""
    goal = Goal(RevisionId(revision), REPLICAS)
    rollout = Rollout("web", 1, "completed", goal, goal, policy, policy)
    for _ in range(3):
        rollout = advance(rollout, seen(rollout, revision, at=0.0), 0.0).rollout
    return rollout


def returned(policy=POLICY, revision="a", now=100.0):
    return begin("web", 2, Goal(RevisionId(revision), REPLICAS), policy, running("b", policy), now, returns=True)


def started(rollout, now=100.0):
    step = advance(rollout, seen(running("b", rollout.policy), "b", at=0.0), now)
    return [action.replica for action in step.actions if action.key.startswith("start ")]


def test_undo_starts_all_replicas_at_once():
    assert len(started(returned())) == REPLICAS


def test_undo_respects_a_written_parallelism():
    paced = replace(POLICY, all_return=False, rollback=replace(POLICY.rollback, parallelism=2))
    assert len(started(returned(paced))) == 2


def test_undo_keeps_replicas_serving_where_stop_first():
    policy = replace(POLICY, rollback=replace(POLICY.rollback, order="stop-first"))
    rollout = returned(policy)
    step = advance(rollout, seen(running("b", policy), "b", at=0.0), 100.0)
    assert len(step.rollout.asked.routes) == REPLICAS - policy.update.parallelism


@pytest.mark.parametrize("kind", ["canary", "blue-green"])
def test_undo_takes_no_steps(kind):
    steps = (StrategyStep(weight=10), StrategyStep(pause_s=-1.0)) if kind == "canary" else ()
    rollout = returned(replace(POLICY, strategy=Strategy(kind=kind, steps=steps)))
    assert len(started(rollout)) == REPLICAS
    both = (*replicas_of("a", "ready", 102.0), *replicas_of("b", "ready"))
    route = RouteSeen(2, tuple(Route(one.id, one.address) for one in both))
    rollout = advance(rollout, Seen(both, RouteSeen(1)), 102.0).rollout
    rollout = replace(rollout, asked=replace(rollout.asked, generation=2, routes=route.routes))
    step = advance(rollout, Seen(both, route), 102.0)
    assert {one.replica.split("/")[1] for one in step.rollout.asked.routes} == {"a"}


def test_undo_is_not_monitored_a_second_time():
    both = (*replicas_of("a", "ready", 102.0), *replicas_of("b", "ready"))
    for returns, left in ((True, {"a"}), (False, {"a", "b"})):
        policy = replace(POLICY, update=replace(POLICY.update, parallelism=0))
        goal = Goal(RevisionId("a"), REPLICAS)
        rollout = begin("web", 2, goal, policy, running("b", policy), 100.0, returns=returns)
        rollout = advance(rollout, seen(running("b", policy), "b", at=0.0), 100.0).rollout
        for _ in range(3):
            asked = rollout.asked
            rollout = advance(rollout, Seen(both, RouteSeen(asked.generation, asked.routes)), 102.0).rollout
        assert {one.replica.split("/")[1] for one in rollout.asked.routes} == left


def test_rollback_starts_all_replicas_at_once():
    goal = Goal(RevisionId("c"), REPLICAS)
    rollout = turn_back(begin("web", 2, goal, POLICY, running("b"), 100.0), 100.0, "it broke")
    broken = Seen(replicas_of("c", "unhealthy", 100.0), RouteSeen(rollout.asked.generation, rollout.asked.routes))
    step = advance(rollout, broken, 101.0)
    assert len([action for action in step.actions if action.key.startswith("start web/b/")]) == REPLICAS


def test_first_rollback_after_an_upgrade_is_at_once():
    stored = {**msgspec.to_builtins(running("b"))}
    for settings in ("policy", "stable_policy"):
        del stored[settings]["all_return"]
    older = msgspec.convert(stored, Rollout)
    for all_return, first in ((True, REPLICAS), (False, 1)):
        policy = replace(POLICY, all_return=all_return)
        rollout = begin("web", 2, Goal(RevisionId("c"), REPLICAS), policy, older, 100.0)
        rollout = turn_back(rollout, 100.0, "it broke")
        broken = Seen(replicas_of("c", "unhealthy", 100.0), RouteSeen(rollout.asked.generation, rollout.asked.routes))
        actions = advance(rollout, broken, 101.0).actions
        assert len([action for action in actions if action.key.startswith("start web/b/")]) == first


def test_failed_undo_rolls_back_as_any_change():
    rollout = advance(returned(), seen(running("b"), "b", at=0.0), 100.0).rollout
    ended = tuple(replace(one, state="exited", exit_code=1, ready_at=None) for one in replicas_of("a", "exited", 101.0))
    now = Seen((*replicas_of("b", "ready"), *ended), RouteSeen(rollout.generation, rollout.asked.routes))
    assert advance(rollout, now, 101.0).rollout.phase == "rolling_back"


def test_settled_undo_returns_no_longer():
    rollout = replace(returned(), phase="completed")
    assert not settle(rollout).returns
