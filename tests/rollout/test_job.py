"""A job that takes the place of a replica that was running."""

import pytest
from msgspec.structs import replace

from midair.model.ids import RevisionId
from midair.model.project import Restart, Update
from midair.model.rollout import Goal, Policy, Rollout
from midair.model.seen import ReplicaSeen, Seen
from midair.rollout import advance, begin

POLICY = Policy(restart=Restart("on-failure"), update=Update(order="stop-first"))


def test_failed_job_says_how_long_it_ran():
    policy = replace(POLICY, restart=Restart("none"), one_shot=True)
    rollout = begin("job", 1, Goal(RevisionId("a"), 1), policy, None, 0.0)
    running = ReplicaSeen("job/a/0", "ready", 0.1, ready_at=0.1)
    ended = ReplicaSeen("job/a/0", "exited", 0.2, ready_at=0.1, exit_code=3, detail="exited with code 3: KeyError: 'x'")
    for now, replicas in ((0.0, ()), (0.1, (running,)), (0.2, (ended,))):
        rollout = advance(rollout, Seen(replicas), now).rollout
    assert rollout.reason == "job/a/0 exited with code 3 after 0.1s: KeyError: 'x'"


@pytest.mark.parametrize(("one_shot", "phase"), [(True, "completed"), (False, "rolling_back")])
def test_awaited_job_may_end_where_its_predecessor_ran(one_shot, phase):
    old, new = Goal(RevisionId("a"), 1), Goal(RevisionId("b"), 1)
    policy = replace(POLICY, one_shot=one_shot)
    rollout = Rollout("job", 1, "completed", old, old, POLICY, POLICY)
    running = ReplicaSeen("job/a/0", "ready", 0.0, ready_at=0.0)
    ended = ReplicaSeen("job/b/0", "exited", 102.0, exit_code=0)
    rollout = begin("job", 2, new, policy, rollout, 100.0)
    for now, replicas in ((100.0, (running,)), (101.0, ()), (102.0, (ended,)), (103.0, (ended,))):
        rollout = advance(rollout, Seen(replicas), now).rollout
    assert rollout.phase == phase
