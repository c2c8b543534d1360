"""Decisions that deserve a sentence of their own; how rollouts go as a whole is told by the stories."""

import pytest
from msgspec.structs import replace

from midair import rollout as core
from midair.model.action import SetRoutes, StartReplica, StopReplica
from midair.model.event import ReplicaDraining, ReplicaFailed, ReplicaReady, ReplicaStarted, ReplicaStopped, RoutesAsked
from midair.model.ids import ReplicaId
from midair.model.project import Drain
from midair.model.rollout import Goal
from midair.model.seen import RouteSeen
from midair.rollout.backoff import backoff


def actions_of(stage, kind):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return [action for action in step.actions if isinstance(action, kind)]


def events(stage):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return step.events


def told(stage, *lines):
    for line in lines:
        stage.play(line)


def test_deciding_twice_about_the_same_world_decides_the_same(stage):
    told(stage, "serving a 2", "begin b 2", "see a/0 ready, a/1 ready; settled 2 a/0 a/1")
    first = core.advance(stage.rollout, stage.seen, 5.0)
    second = core.advance(stage.rollout, stage.seen, 5.0)
    assert first == second


def test_at_rest_nothing_is_decided_and_nothing_is_to_be_stored(stage):
    told(stage, "serving a 3")
    step = core.advance(stage.rollout, stage.seen, 1000.0)
    assert step.rollout == stage.rollout
    assert (step.actions, step.events, step.wake_at) == ((), (), None)


def test_routes_of_a_generation_that_is_not_remembered_are_overtaken(stage):
    told(stage, "serving a 1")
    stage.seen = replace(stage.seen, route=RouteSeen(40, ()))
    asked = actions_of(stage, SetRoutes)
    assert asked[0].generation == 41


def test_a_place_that_is_still_leaving_is_not_given_to_a_new_replica(stage):
    told(stage, "serving a 3", "wish scale 2", "advance", "see a/0 ready, a/1 ready, a/2 ready; settled 3 a/0 a/1")
    assert actions_of(stage, StopReplica)[0].replica == "web/a/2"
    told(stage, "wish scale 3")
    assert [one.replica for one in actions_of(stage, StartReplica)] == ["web/a/3"]


def test_a_start_under_way_counts_as_alive(stage):
    told(stage, "policy order=stop-first", "serving a 1", "begin b 1", "see nothing; settled 3")
    stage.seen = replace(stage.seen, starting=(ReplicaId("web/c/0"),))
    assert actions_of(stage, StartReplica) == []
    stage.seen = replace(stage.seen, starting=())
    assert len(actions_of(stage, StartReplica)) == 1


@pytest.mark.parametrize(("in_surge", "started"), [(True, []), (False, ["web/b/1"])])
def test_draining_replica_holds_no_batch_up(stage, in_surge, started):
    told(stage, "policy monitor_s=0", "serving a 3", "begin b 3")
    policy = replace(stage.rollout.policy, drain=Drain(websocket_s=5.0, in_surge=in_surge))
    stage.rollout = replace(stage.rollout, policy=policy)
    old = "a/0 ready, a/1 ready, a/2 ready"
    told(stage, "advance", f"see {old}, b/0 ready; settled 2 a/0 a/1 a/2", "advance")
    told(stage, f"see {old}, b/0 ready; settled 3 a/0 a/1 a/2 b/0", "advance")
    told(stage, f"see {old}, b/0 ready; settled 4 a/0 a/1 b/0; open a/2=2")
    assert (stage.rollout.asked.leaving, stage.rollout.asked.websocket_s) == (("web/a/2",), 5.0)
    assert [one.replica for one in actions_of(stage, StartReplica)] == started


def test_a_failed_action_is_tried_again_after_longer_and_longer_waits(stage):
    told(stage, "serving a 1", "begin b 1", 'see a/0 ready; settled 2 a/0; trouble "start web/b/0" 3')
    step = core.advance(stage.rollout, stage.seen, stage.now)
    assert not step.actions
    assert step.wake_at == stage.now + 2.0
    assert core.advance(stage.rollout, stage.seen, stage.now + 2.0).actions


@pytest.mark.parametrize(
    ("count", "wait"), [(0, 0.0), (1, 0.1), (2, 0.2), (5, 1.6), (9, 25.6), (10, 30.0), (999, 30.0)]
)
def test_waits_double_up_to_a_limit(count, wait):
    assert backoff(count, 0.1) == pytest.approx(wait)


def test_what_happens_is_told_once(stage):
    told(stage, "begin a 1", "see nothing; settled 0")
    assert ReplicaStarted(ReplicaId("web/a/0")) in events(stage)
    assert events(stage) == ()
    told(stage, "see a/0 ready; settled 1")
    assert events(stage) == (ReplicaReady(ReplicaId("web/a/0")), RoutesAsked("web", 2, {"web/a/0": 100}))
    assert events(stage) == ()
    told(stage, "see a/0 exited code=7; settled 2 a/0")
    failed = events(stage)[0]
    assert isinstance(failed, ReplicaFailed)
    assert "exited with code 7" in failed.reason


def test_a_health_check_that_gives_up_does_not_wait_for_the_deadline(stage):
    told(stage, "serving a 1", "begin b 1")
    core_says = events(stage)
    assert any(isinstance(one, ReplicaStarted) for one in core_says)
    told(stage, "see a/0 ready, b/0 starting; settled 2 a/0")
    events(stage)
    told(stage, "see a/0 ready, b/0 unhealthy; settled 2 a/0")
    events(stage)
    assert stage.rollout.back
    assert "unhealthy, before it was ready" in stage.rollout.reason


def test_leaving_is_told_step_by_step(stage):
    told(stage, "serving a 1", "begin nothing 0")
    assert ReplicaDraining(ReplicaId("web/a/0")) in events(stage)
    told(stage, "see a/0 ready; settled 3")
    assert "replica-stopping" in str([type(one).__struct_config__.tag for one in events(stage)])
    told(stage, "see a/0 exited code=0; settled 3")
    assert not any(isinstance(one, ReplicaFailed) for one in events(stage))
    told(stage, "see nothing; settled 3")
    assert ReplicaStopped(ReplicaId("web/a/0"), 0) in events(stage)


@pytest.mark.parametrize("code", [137, -9])
def test_killed_replica_is_reported_with_its_code(stage, code):
    told(stage, "serving a 1", "begin nothing 0")
    for line in ("see a/0 ready; settled 2", "see a/0 ready; settled 3", f"see a/0 exited code={code}; settled 3"):
        events(stage)
        told(stage, line)
    events(stage)
    told(stage, "see nothing; settled 3")
    assert ReplicaStopped(ReplicaId("web/a/0"), 137, 10.0, "SIGTERM") in events(stage)


def test_an_operators_hold_keeps_the_routes(stage):
    told(stage, "serving a 2", "wish hold on")
    asked = actions_of(stage, SetRoutes)[0]
    assert asked.hold
    assert len(asked.routes) == 2


def test_a_service_without_ports_needs_no_router(stage):
    told(stage, "policy ports=none monitor_s=0", "begin a 1", "see nothing")
    assert actions_of(stage, SetRoutes) == []
    told(stage, "see a/0 ready")
    actions_of(stage, SetRoutes)
    assert stage.rollout.phase == "completed"
    told(stage, "settle", "begin nothing 0")
    assert len(actions_of(stage, StopReplica)) == 1


def test_nothing_more_is_decided_about_a_superseded_rollout(stage):
    told(stage, "serving a 1")
    old = replace(stage.rollout, phase="superseded")
    assert core.advance(old, stage.seen, 5.0) == core.advance(old, stage.seen, 9.0)
    assert core.advance(old, stage.seen, 5.0).actions == ()


def test_more_failures_than_the_ratio_allows_turn_it_round(stage):
    told(stage, "policy max_failure_ratio=0.5 parallelism=0", "serving a 2", "begin b 2", "advance", "at 1")
    told(stage, "see a/0 ready, a/1 ready, b/0 exited code=1, b/1 starting; settled 2 a/0 a/1", "advance")
    assert stage.rollout.phase == "progressing"
    told(stage, "see a/0 ready, a/1 ready, b/0 exited code=1, b/1 exited code=1; settled 2 a/0 a/1", "advance")
    assert stage.rollout.phase == "rolling_back"


def test_a_failure_that_is_to_be_ignored_does_not_turn_it_round(stage):
    told(stage, "policy failure_action=continue", "serving a 1", "begin b 1", "advance", "at 1")
    told(stage, "see a/0 ready, b/0 exited code=1; settled 2 a/0", "advance")
    assert stage.rollout.phase == "progressing"
    told(stage, "at 700", "advance")
    assert stage.rollout.phase == "stuck"
    assert not stage.rollout.back
    assert stage.rollout.goal == Goal("b", 1)


def test_a_first_up_that_fails_leaves_nothing(stage):
    told(stage, "begin a 1", "see nothing; settled 0", "advance", "at 1", "see a/0 exited code=1; settled 1", "advance")
    assert stage.rollout.phase == "rolling_back"
    told(stage, "see a/0 exited code=1; settled 2", "advance", "see nothing; settled 2", "advance")
    assert stage.rollout.phase == "rolled_back"
    assert stage.rollout.asked.ports == ()


def late(stage, attempt, ready, ends):
    """One attempt of b/0 that is ready and ends later than `monitor`."""
    told(stage, f"at {ready}", f"see a/0 ready, a/1 ready, b/0 ready {attempt}; settled 2 a/0 a/1", "advance")
    told(stage, f"at {ends}", f"see a/0 ready, a/1 ready, b/0 exited {attempt} code=1; settled 2 a/0 a/1", "advance")


def test_replica_that_keeps_failing_later_than_monitor_rolls_back(stage):
    told(stage, "policy monitor_s=5", "serving a 2", "begin b 2", "advance")
    late(stage, 1, 1, 8)
    assert stage.rollout.phase == "progressing"
    late(stage, 2, 9, 15)
    assert stage.rollout.phase == "rolling_back"
    assert "6.0s after it was ready" in stage.rollout.reason


def test_replica_that_outlives_its_last_failure_is_good(stage):
    told(stage, "policy monitor_s=5", "serving a 2", "begin b 2", "advance")
    late(stage, 1, 1, 8)
    late(stage, 2, 9, 30)
    assert stage.rollout.phase == "progressing"


@pytest.mark.parametrize(("restart", "phase"), [("on-failure", "rolling_back"), ("none", "promoting")])
def test_what_replaces_a_running_replica_has_to_run(stage, restart, phase):
    told(stage, f"policy ports=none restart={restart}", "serving a 1", "begin b 1", "see a/0 ready", "advance")
    told(stage, "see a/0 ready, b/0 exited code=0", "advance")
    assert stage.rollout.phase == phase
