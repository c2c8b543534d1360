"""What a change says of replicas that had to be killed."""

from tests.rollout.conftest import Stage

from midair.engine.decide import decide
from midair.model.change import Change
from midair.model.ids import ChangeId
from midair.model.project import Applied, Project
from midair.view.change import change_view
from midair.view.event import describe

KILLED = "web/a/0 killed: it had not ended 10s after SIGTERM (stop_grace_period), exit code 137"


def test_killed_replica_is_a_warning_of_its_change():
    stage = Stage()
    stage.play("serving a 1")
    stage.play("begin nothing 0")
    change = Change(
        ChangeId(int(stage.rollout.change)), "shop", "down", "progressing", 0.0, Applied(Project("shop", {}), {})
    )
    for line in ("ready; settled 2", "ready; settled 3", "exited code=137; settled 3", ""):
        stage.play(f"see a/0 {line}" if line else "see nothing; settled 3")
        decision = decide(change, {"web": stage.rollout}, {"web": stage.seen}, None, stage.now)
        change, stage.rollout = decision.change, decision.rollouts[0]
    assert change_view(change).warnings == (KILLED,)


def test_requests_cut_at_the_deadline_are_counted():
    stage = Stage()
    stage.play("serving a 1")
    stage.play("begin nothing 0")
    change = Change(
        ChangeId(int(stage.rollout.change)), "shop", "down", "progressing", 0.0, Applied(Project("shop", {}), {})
    )
    events = []
    for moment, seen in (
        (0, "a/0 ready; settled 2"),
        (1, "a/0 ready; settled 3; open a/0=9"),
        (20, "a/0 ready; settled 3; open a/0=9"),
        (21, "a/0 exited code=0; settled 3"),
        (22, "nothing; settled 3"),
    ):
        stage.play(f"at {moment}")
        stage.play(f"see {seen}")
        decision = decide(change, {"web": stage.rollout}, {"web": stage.seen}, None, stage.now)
        change, stage.rollout = decision.change, decision.rollouts[0]
        events += [describe(event) for _, event in decision.events]
    assert change_view(change).cut == 9
    assert events[-1] == "change 1 completed, 0 requests accepted, 0 lost, 9 cut at the drain deadline"
