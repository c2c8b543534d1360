"""One change over several services: in order, all or nothing."""

from msgspec.structs import replace

from midair import rollout as core
from midair.model.event import ChangeEnded, PhaseChanged
from midair.model.ids import ReplicaId
from midair.model.project import Port
from midair.model.rollout import Goal
from midair.model.seen import ReplicaSeen

HEALTHY = {"web": {"db": "service_healthy"}}


def seen(name, state, code=None):
    return (ReplicaSeen(ReplicaId(name), state, 0.0, exit_code=code),)


def test_services_without_dependencies_begin_together(board, state):
    board.accept(state(db="d1", web="w1"))
    assert board.advance().begun == ("db", "web")
    assert board.rollouts["web"].goal == Goal("w1", 1)


def test_a_service_waits_until_the_one_it_depends_on_is_healthy(board, state):
    board.accept(state(HEALTHY, web="w1", db="d1"))
    assert board.advance().begun == ("db",)
    board.put("db", "progressing", replicas=seen("db/d1/0", "starting"))
    assert board.advance().begun == ("db",)
    board.complete("db")
    assert board.advance().begun == ("db", "web")


def test_at_a_first_start_healthy_is_enough_without_having_passed(board, state):
    board.accept(state(HEALTHY, replicas=2, web="w1", db="d1"))
    assert board.advance().begun == ("db",)
    board.put("db", "baking", replicas=seen("db/d1/0", "ready"))
    assert board.advance().begun == ("db",)
    board.put("db", "baking", replicas=seen("db/d1/0", "ready") + seen("db/d1/1", "ready"))
    assert board.advance().begun == ("db", "web")


def test_what_was_there_before_has_to_pass_before_others_follow(board, state, running):
    before = running(state(HEALTHY, web="w1", db="d1"))
    board.accept(state(HEALTHY, web="w2", db="d2"), before, number=2)
    assert board.advance().begun == ("db",)
    board.put("db", "baking", replicas=seen("db/d2/0", "ready"))
    assert board.advance().begun == ("db",)
    board.complete("db")
    assert board.advance().begun == ("db", "web")


def test_a_service_waits_until_the_one_it_depends_on_has_started(board, state):
    board.accept(state({"web": {"db": "service_started"}}, web="w1", db="d1"))
    assert board.advance().begun == ("db",)
    board.put("db", "progressing", replicas=seen("db/d1/0", "starting"))
    assert board.advance().begun == ("db", "web")


def test_a_service_waits_until_a_one_shot_has_ended_well(board, state):
    board.accept(state({"web": {"job": "service_completed_successfully"}}, ports={"job": ()}, web="w1", job="j1"))
    board.advance()
    job = board.rollouts["job"]
    board.put("job", "completed", policy=job.policy.__class__(), replicas=seen("job/j1/0", "ready"))
    assert board.advance().begun == ("job",)


def test_nothing_begins_where_nothing_changed(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d1", web="w2"), before, number=2)
    assert board.advance().begun == ("web",)
    assert board.rollouts["db"].change == 1


def test_a_change_ends_when_all_rollouts_have(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d2", web="w2"), before, number=2)
    board.advance()
    board.complete("db")
    assert board.advance().phase == "progressing"
    assert not board.rollouts["db"].is_settled
    board.complete("web")
    assert board.advance().phase == "completed"
    assert all(one.is_settled and one.stable == one.goal for one in board.rollouts.values())
    assert board.events[-1] == ChangeEnded(2, "completed")


def test_when_one_service_fails_all_go_back(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d2", web="w2"), before, number=2)
    board.advance()
    board.complete("db")
    board.fail("web")
    assert board.advance().phase == "rolling_back"
    assert board.phases() == {"db": "rolling_back", "web": "rolling_back"}
    assert board.rollouts["db"].goal == Goal("d1", 1)
    board.put("db", "rolled_back")
    assert board.advance().phase == "rolling_back"
    board.put("web", "rolled_back")
    change = board.advance()
    assert (change.phase, change.reason) == ("rolled_back", 'service "web": it broke')


def test_a_service_that_was_not_begun_yet_stays_as_it_is(board, state, running):
    before = running(state(HEALTHY, web="w1", db="d1"))
    board.accept(state(HEALTHY, web="w2", db="d2"), before, number=2)
    board.advance()
    board.fail("db")
    board.advance()
    assert board.rollouts["web"].goal == Goal("w1", 1)
    board.put("db", "rolled_back")
    assert board.advance().phase == "rolled_back"


def test_a_way_back_that_does_not_come_about_is_said_and_may_still_end(board, state, running):
    before = running(state(web="w1"))
    board.accept(state(web="w2"), before, number=2)
    board.advance()
    board.fail("web")
    board.advance()
    board.put("web", "stuck")
    assert board.advance().phase == "stuck"
    assert board.change.ended_at is None
    board.put("web", "rolled_back")
    assert board.advance().phase == "rolled_back"


def test_stuck_rollback_is_reported_once_with_its_reason(board, state, running):
    before = running(state(web="w1"))
    board.accept(state(web="w2"), before, number=2)
    board.advance()
    board.fail("web")
    board.advance()
    board.put("web", "stuck", reason="1 of 1 replicas not ready")
    board.advance()
    board.advance()
    text = 'service "web": 1 of 1 replicas not ready'
    assert [one for one in board.events if isinstance(one, ChangeEnded)][1:] == [ChangeEnded(2, "stuck", text)]
    assert board.change.waits_for == text
    board.put("web", "rolled_back")
    assert board.advance().waits_for == ""


def test_stuck_service_is_reported_when_failures_are_ignored(board, state, running):
    before = running(state(web="w1", db="d1"))
    board.accept(state(web="w2", db="d2"), before, number=2)
    board.advance()
    board.put("web", "stuck", reason="1 of 1 replicas not ready")
    assert board.advance().waits_for == "", "db still moves"
    board.complete("db")
    assert board.advance().waits_for == 'service "web": 1 of 1 replicas not ready'
    assert board.events[-1] == ChangeEnded(2, "stuck", board.change.waits_for)
    board.put("web", "progressing")
    assert board.advance().waits_for == ""


def test_what_is_no_longer_wanted_goes_last_and_in_reverse_order(board, state, running):
    chain = {"web": {"api": "service_started"}, "api": {"db": "service_started"}}
    before = running(state(chain, web="w1", api="a1", db="d1", other="o1"))
    board.accept(state(other="o2"), before, number=2)
    assert board.advance().begun == ("other",)
    board.complete("other")
    gone = []
    while board.advance().phase == "progressing":
        gone.append(board.change.begun[-1])
        assert board.rollouts[gone[-1]].goal == Goal(None, 0)
        board.put(gone[-1], "completed", replicas=())
    assert gone == ["web", "api", "db"]
    assert board.change.phase == "completed"


def test_a_second_change_takes_over_and_goes_back_to_the_last_completed_state(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d2", web="w1"), before, number=2)
    board.advance()
    board.put("db", "progressing")
    first = board.change
    board.accept(state(db="d1", web="w3"), before, number=3)
    assert board.change.before is first.before
    board.advance()
    assert board.change.begun == ("db", "web")
    assert PhaseChanged("db", "progressing", "superseded", "change 3 took over") in board.events
    assert board.rollouts["db"].stable == Goal("d1", 1)
    board.fail("web")
    board.advance()
    assert board.rollouts["db"].goal == Goal("d1", 1)


def test_what_a_superseded_change_completed_goes_back_with_the_next(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d2", web="w2"), before, number=2)
    board.advance()
    board.complete("db")
    board.accept(state(db="d2", web="w3"), before, number=3)
    board.advance()
    assert set(board.change.begun) == {"db", "web"}
    board.fail("web")
    board.advance()
    assert board.rollouts["db"].goal == Goal("d1", 1)


def test_a_dependency_that_never_comes_fails_the_change(board, state, running):
    before = running(state(HEALTHY, db="d1", web="w1"))
    board.put("db", "completed", replicas=seen("db/d1/0", "exited", 1))
    board.accept(state(HEALTHY, db="d1", web="w2"), before, number=2)
    assert board.advance().begun == ()
    assert board.wake_at == 60.0
    board.now = 60.0
    assert board.advance().phase == "rolled_back"
    assert board.change.reason == 'service "web": waited in vain for "db" to be healthy'


def test_a_port_that_the_router_does_not_carry_is_not_asked_of_it(board, state):
    board.accept(state(ports={"dns": (Port(53, 53, protocol="udp"), Port(80, 80))}, dns="d1"))
    board.advance()
    assert [port.port for port in board.rollouts["dns"].policy.ports] == [80]


def test_an_aborted_rollout_takes_the_change_back(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(state(db="d2", web="w2"), before, number=2)
    board.advance()
    board.rollouts["web"] = core.turn_back(board.rollouts["web"], 1.0, "aborted by the operator")
    assert board.advance().phase == "rolling_back"
    assert board.rollouts["db"].back


def places(board):
    """Which service listens where."""
    return {port.port: name for name, one in board.rollouts.items() for port in one.policy.ports}


def renamed(state, name, revision):
    """A state with one service that publishes port 8000."""
    made = state(**{name: revision})
    service = replace(made.project.services[name], ports=(Port(8000, 80),))
    return replace(made, project=replace(made.project, services={name: service}))


def test_a_port_stays_with_the_one_that_answers_until_its_heir_does(board, state, running):
    before = running(renamed(state, "web", "w1"))
    board.accept(renamed(state, "app", "a1"), before, number=2)
    board.advance()
    assert places(board) == {8000: "web"}
    board.complete("app")
    assert board.advance().phase == "progressing"
    assert places(board) == {8000: "app"}
    assert board.rollouts["app"].phase == "pending"
    board.complete("app")
    board.advance()
    board.complete("web")
    assert board.advance().phase == "completed"
    assert board.change.begun == ("app", "web")


def test_a_port_is_with_its_old_owner_again_when_the_heir_fails(board, state, running):
    before = running(renamed(state, "web", "w1"))
    board.accept(renamed(state, "app", "a1"), before, number=2)
    board.advance()
    board.complete("app")
    board.advance()
    board.fail("app")
    board.advance()
    assert places(board) == {8000: "web"}
    assert board.change.phase == "rolling_back"


def test_a_service_that_gives_a_port_away_and_stays_keeps_it_until_then(board, state, running):
    first = state(web="w1")
    web = first.project.services["web"]
    both = replace(web, ports=(Port(8000, 80), Port(9000, 90)))
    before = running(replace(first, project=replace(first.project, services={"web": both})))
    after = state(web="w2", app="a1")
    services = {
        "web": replace(web, ports=(Port(9000, 90),)),
        "app": replace(after.project.services["app"], ports=(Port(8000, 80),)),
    }
    board.accept(replace(after, project=replace(after.project, services=services)), before, number=2)
    board.advance()
    assert places(board) == {8000: "web", 9000: "web"}
    board.complete("web", "app")
    board.advance()
    assert places(board) == {8000: "app", 9000: "web"}
    board.complete("app")
    assert board.advance().phase == "completed"
