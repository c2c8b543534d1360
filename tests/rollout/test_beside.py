"""What may be there at the same time: in a pause, after another change came in, and on the way back of a recreate."""

import pytest

from midair import rollout as core
from midair.model.action import StartReplica
from midair.model.rollout import Goal


def told(stage, *lines):
    for line in lines:
        stage.play(line)


def starts(stage):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return [action.replica for action in step.actions if isinstance(action, StartReplica)]


@pytest.mark.parametrize("order", ["stop-first", "start-first strategy=recreate"])
def test_a_pause_in_the_gap_leaves_nobody_without_a_replica(stage, order):
    told(stage, f"policy order={order}", "serving a 1", "begin b 1", "see a/0 ready; settled 2 a/0", "advance")
    told(stage, "see a/0 ready; settled 3", "advance", "see a/0 stopping; settled 3", "advance", "wish pause")
    assert starts(stage) == []
    told(stage, "see nothing; settled 3")
    assert starts(stage) == ["web/b/0"]
    assert stage.rollout.phase == "paused"


def test_a_pause_begins_nothing_that_takes_nobodys_place(stage):
    told(stage, "serving a 2", "begin b 4", "see a/0 ready, a/1 ready; settled 2 a/0 a/1", "wish pause")
    assert starts(stage) == []
    told(stage, "wish scale 6")
    assert starts(stage) == []


def test_what_another_change_made_has_to_pass_for_this_one_too(stage):
    told(stage, "policy monitor_s=5", "serving a 1", "begin b 1", "see a/0 ready; settled 2 a/0", "advance", "at 10")
    told(stage, "see a/0 ready, b/0 ready; settled 2 a/0", "advance", "begin c 1", "advance", "begin b 1")
    assert "web/b/0" in stage.rollout.created
    told(stage, "at 11", "see a/0 ready, b/0 ready; settled 3 a/0 b/0", "advance")
    assert stage.rollout.phase == "baking"
    told(stage, "at 11.5", "see a/0 ready, b/0 exited code=1; settled 3 a/0 b/0", "advance")
    assert stage.rollout.phase == "rolling_back"


def test_what_had_failed_before_a_change_is_not_its_failure(stage):
    told(stage, "policy monitor_s=5", "serving a 1", "begin b 1", "see a/0 ready; settled 2 a/0", "advance", "at 10")
    told(stage, "see a/0 ready, b/0 exited code=1; settled 2 a/0", "at 12", "begin c 1", "advance", "begin b 1")
    assert "web/b/0" not in starts(stage)[1:]
    assert stage.rollout.phase == "progressing"


def test_the_way_back_of_a_recreate_has_one_revision_at_a_time(stage):
    told(stage, "policy strategy=recreate", "serving a 2", "begin b 2", "see nothing; settled 3", "advance")
    told(stage, "see b/0 ready, b/1 starting; settled 3", "advance", "turn back it failed", "advance")
    told(stage, "see b/0 ready, b/1 starting; settled 4")
    assert starts(stage) == []
    told(stage, "see b/0 stopping; settled 5")
    assert starts(stage) == []
    told(stage, "see nothing; settled 5")
    assert starts(stage) == ["web/a/0", "web/a/1"]


def test_a_pause_and_the_place_in_a_canary_outlive_a_change_of_something_else(stage):
    told(stage, "policy strategy=canary", "serving a 4", "begin b 4", "wish promote", "wish pause")
    before = stage.rollout
    stage.rollout = core.begin("web", 9, Goal("b", 4), stage.policy, before, 50.0)
    assert (stage.rollout.phase, stage.rollout.promoted, stage.rollout.change) == ("paused", True, 9)
    assert core.begin("web", 9, Goal("b", 5), stage.policy, before, 50.0).phase == "pending"


def test_replica_with_own_data_waits_for_its_predecessor(stage):
    told(stage, "serving a 2", "begin b 2", "see a/0 ready data, a/1 ready data; settled 2 a/0 a/1")
    assert starts(stage) == []  # though the order is start-first
    told(stage, "see a/0 ready data, a/1 stopping data; settled 3 a/0")
    assert starts(stage) == []
    told(stage, "see a/0 ready data; settled 3 a/0")
    assert starts(stage) == ["web/b/1"]


def test_rollback_waits_for_the_owner_of_the_data(stage):
    told(stage, "serving a 1", "see a/0 ready data; settled 2 a/0", "begin b 1", "advance", "see nothing; settled 3")
    assert starts(stage) == ["web/b/0"]
    told(stage, "see b/0 ready data; settled 3", "advance", "turn back it failed")
    assert starts(stage) == []
    told(stage, "see b/0 stopping data; settled 4")
    assert starts(stage) == []
    told(stage, "see nothing; settled 4")
    assert starts(stage) == ["web/a/0"]


def test_order_of_the_file_runs_replicas_on_the_same_data(stage):
    told(stage, "policy beside=yes", "serving a 1", "begin b 1", "see a/0 ready data; settled 2 a/0")
    assert starts(stage) == ["web/b/0"]
