"""A one-shot that did its work for a revision is not run again when that revision comes back."""

from msgspec.structs import replace

from midair import rollout as core
from midair.model.action import StartReplica


def play(stage, *lines):
    stage.play("policy restart=no ports=none monitor_s=0")
    stage.policy = replace(stage.policy, one_shot=True)
    for line in lines:
        stage.play(line)


def started(stage):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return [action.replica for action in step.actions if isinstance(action, StartReplica)]


FIRST = ("begin a 1", "see a/0 exited code=0", "advance", "settle", "at 10", "begin b 1")


def test_completed_one_shot_stays_done_after_rollback(stage):
    play(stage, *FIRST, "see b/0 exited code=0", "advance", "turn back web failed", "see nothing")
    assert started(stage) == []
    assert stage.rollout.phase == "rolled_back"


def test_one_shot_of_a_new_revision_runs(stage):
    play(stage, *FIRST, "see a/0 exited code=0")
    assert started(stage) == ["web/b/0"]
