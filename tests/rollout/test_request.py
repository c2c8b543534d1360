"""What an operator may wish, and when it makes no sense."""

import pytest
from msgspec.structs import replace

from midair import rollout as core
from midair.errors import Conflict
from midair.model.project import Port, Update
from midair.model.rollout import Abort, Goal, Pause, Policy, Promote, Resume, Scale, SetHold
from midair.rollout.phase import FORWARD

POLICY = Policy(update=Update(order="start-first"), ports=(Port(80, 80),))


@pytest.fixture
def rollout():
    """In the middle of going from a to b."""
    first = replace(core.begin("web", 1, Goal("a", 2), POLICY, None, 0.0), phase="completed")
    return replace(core.begin("web", 2, Goal("b", 2), POLICY, core.settle(first), 10.0), phase="progressing")


@pytest.mark.parametrize("phase", sorted(FORWARD))
def test_what_goes_forward_can_be_paused_and_resumed(rollout, phase):
    paused = core.request(replace(rollout, phase=phase), Pause(), 20.0)
    assert (paused.phase, paused.phase_at) == ("paused", 20.0)
    assert core.request(paused, Resume(), 30.0).phase == "progressing"


def test_the_deadline_stands_still_while_paused(rollout):
    paused = core.request(replace(rollout, waiting_since=15.0), Pause(), 20.0)
    assert core.request(paused, Resume(), 50.0).waiting_since == 45.0


@pytest.mark.parametrize(
    ("wish", "phase", "why"),
    [
        (Pause(), "completed", "it is completed"),
        (Pause(), "paused", "it is paused"),
        (Resume(), "progressing", "it is not paused"),
        (Promote(), "completed", "it is completed"),
        (Promote(), "paused", "it is paused"),
        (Abort(), "superseded", "another change took over"),
        (SetHold(True), "superseded", "another change took over"),
        (Scale(-1), "progressing", 'should be 0 or more replicas, got "-1"'),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(rollout, wish, phase, why):
    with pytest.raises(Conflict) as refused:
        core.request(replace(rollout, phase=phase), wish, 20.0)
    assert why in refused.value.message
    assert refused.value.message.startswith("cannot ")
    assert '"web"' in refused.value.message


@pytest.mark.parametrize("wish", [Pause(), Promote(), Abort()])
def test_a_rollback_is_not_interrupted(rollout, wish):
    back = core.turn_back(rollout, 20.0, "it failed")
    with pytest.raises(Conflict):
        core.request(back, wish, 30.0)


def test_an_abort_goes_back_to_the_last_good_revision(rollout):
    aborted = core.request(rollout, Abort(), 20.0)
    assert (aborted.phase, aborted.goal, aborted.back) == ("rolling_back", Goal("a", 2), True)


def test_nothing_is_aborted_where_nothing_is_under_way(rollout):
    done = core.settle(replace(rollout, phase="completed"))
    with pytest.raises(Conflict, match="nothing is under way") as refused:
        core.request(done, Abort(), 20.0)
    assert refused.value.hint.startswith("run midair undo")


def test_a_completed_service_can_go_back_while_its_change_goes_on(rollout):
    assert core.request(replace(rollout, phase="completed"), Abort(), 20.0).phase == "rolling_back"


def test_scaling_in_the_middle_holds_for_the_way_back_too(rollout):
    scaled = core.request(rollout, Scale(5), 20.0)
    assert (scaled.goal, scaled.stable) == (Goal("b", 5), Goal("a", 5))


def test_what_is_being_removed_is_not_scaled(rollout):
    with pytest.raises(Conflict, match="it is being removed"):
        core.request(replace(rollout, goal=Goal(None, 0)), Scale(3), 20.0)


def test_a_hold_is_taken_in_any_phase(rollout):
    for phase in ("pending", "progressing", "paused", "completed", "rolling_back", "rolled_back", "stuck"):
        assert core.request(replace(rollout, phase=phase), SetHold(True), 20.0).held_by_operator


def test_what_has_no_port_is_not_held_but_may_be_released(rollout):
    worker = replace(rollout, policy=replace(rollout.policy, ports=()))
    with pytest.raises(Conflict, match="it has no port"):
        core.request(worker, SetHold(True), 20.0)
    assert not core.request(replace(worker, held_by_operator=True), SetHold(False), 20.0).held_by_operator


def test_only_a_completed_rollout_is_settled(rollout):
    with pytest.raises(AssertionError, match="cannot settle a rollout that is progressing"):
        core.settle(rollout)
