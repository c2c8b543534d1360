"""Limits that change in place, and what becomes of a rollout when they are refused."""

import pytest
from msgspec.structs import replace

from midair import rollout as core
from midair.model.action import ResizeReplica
from midair.model.seen import Trouble


def told(stage, *lines):
    for line in lines:
        stage.play(line)


def wrong(stage, refused=0):
    """Every replica seen should have other limits, which were refused so often."""
    ones = tuple(replace(one, resize=True) for one in stage.seen.replicas)
    troubles = tuple(Trouble(ResizeReplica(one.id).key, refused, stage.now, "too low") for one in ones if refused)
    stage.seen = replace(stage.seen, replicas=ones, troubles=troubles)


def step_of(stage):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return step


def test_nothing_ends_before_every_replica_has_its_limits(stage):
    told(stage, "serving a 2", "begin a 2", "see a/0 ready, a/1 ready; settled 2 a/0 a/1")
    wrong(stage)
    step = step_of(stage)
    assert {one.replica for one in step.actions if isinstance(one, ResizeReplica)} == {"web/a/0", "web/a/1"}
    assert step.rollout.phase != "completed"
    told(stage, "see a/0 ready, a/1 ready; settled 2 a/0 a/1")
    assert step_of(stage).rollout.phase == "completed"


@pytest.mark.parametrize(("failure_action", "phase"), [("rollback", "rolling_back"), ("continue", "stuck")])
def test_limits_that_are_refused_again_and_again_end_the_way_forward(stage, failure_action, phase):
    told(stage, "serving a 1", f"policy failure_action={failure_action}", "begin a 1", "see a/0 ready; settled 2 a/0")
    wrong(stage, refused=2)
    assert step_of(stage).rollout.phase not in ("rolling_back", "stuck")
    wrong(stage, refused=3)
    step = step_of(stage)
    assert (step.rollout.phase, step.rollout.reason) == (phase, "too low")


def test_on_the_way_back_it_is_stuck_and_comes_out_when_they_are_taken_after_all(stage):
    told(stage, "serving a 1", "begin a 1", "see a/0 ready; settled 2 a/0", "turn back another service failed")
    wrong(stage, refused=3)
    assert step_of(stage).rollout.phase == "stuck"
    told(stage, "at 1000")
    assert [one for one in step_of(stage).actions if isinstance(one, ResizeReplica)], "it gave up trying"
    told(stage, "see a/0 ready; settled 2 a/0")
    assert step_of(stage).rollout.phase == "rolled_back"


def test_what_was_refused_before_a_change_began_is_not_held_against_it(stage):
    told(stage, "serving a 1", "see a/0 ready; settled 2 a/0", "at 100")
    wrong(stage, refused=9)
    told(stage, "at 101", "begin a 1")
    step = step_of(stage)
    assert [one.replica for one in step.actions if isinstance(one, ResizeReplica)] == ["web/a/0"]
    assert not step.rollout.back


def test_what_is_on_its_way_out_keeps_its_limits(stage):
    told(stage, "serving a 1", "begin b 1", "see a/0 ready, b/0 starting; settled 2 a/0")
    wrong(stage)
    step = step_of(stage)
    assert [one.replica for one in step.actions if isinstance(one, ResizeReplica)] == ["web/b/0"]
