"""Where a command of a person runs."""

from midair.model.seen import ReplicaSeen
from midair.rollout.target import command_target


def seen(replica, state="ready"):
    return ReplicaSeen(replica, state, 0.0)


def chosen(*replicas, number=None):
    target = command_target(replicas, "new", number)
    return target and target.id


def test_command_runs_in_first_ready_replica_of_goal():
    assert chosen(seen("web/old/0"), seen("web/new/1"), seen("web/new/0", "starting")) == "web/new/1"


def test_command_prefers_ready_old_to_starting_new():
    assert chosen(seen("web/old/0"), seen("web/new/0", "starting")) == "web/old/0"


def test_command_runs_in_failing_replica_without_better():
    assert chosen(seen("web/new/0", "exited"), seen("web/new/1", "unhealthy")) == "web/new/1"


def test_command_runs_in_no_replica_that_ends():
    assert chosen(seen("web/new/0", "stopping"), seen("web/old/0", "exited")) is None


def test_number_of_replica_counts_from_one():
    assert chosen(seen("web/new/0"), seen("web/new/1"), number=2) == "web/new/1"
    assert chosen(seen("web/new/0"), number=2) is None
