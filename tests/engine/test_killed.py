"""What a change says of replicas that had to be killed."""

from tests.rollout.conftest import Stage

from midair.engine.decide import decide
from midair.model.change import Change
from midair.model.ids import ChangeId
from midair.model.project import Applied, Project
from midair.view.change import change_view

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
