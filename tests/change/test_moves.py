"""Files are moved while nothing runs that uses them, whatever depends on what."""

from msgspec.structs import replace

from midair.model.rollout import Goal

MIGRATED = {"web": {"migrate": "service_healthy"}}


def moving(state, *names):
    services = {name: replace(service, moves=name in names) for name, service in state.project.services.items()}
    return replace(state, project=replace(state.project, services=services))


def test_nothing_begins_before_all_that_moves_has_ended(board, state, running):
    before = running(state(MIGRATED, web="w1", worker="k1", migrate="m1"))
    after = state(MIGRATED, web="w2", worker="k2", migrate="m2")
    board.accept(moving(after, "web", "worker"), before, number=2)
    assert board.advance().begun == ("web", "worker")
    assert board.rollouts["web"].policy.waits
    assert board.rollouts["worker"].policy.waits
    board.put("web", "progressing", replicas=())
    board.put("worker", "progressing")
    assert board.advance().begun == ("web", "worker")
    board.put("worker", "progressing", replicas=())
    assert board.advance().begun == ("web", "worker", "migrate")
    assert not board.rollouts["worker"].policy.waits
    assert board.rollouts["web"].policy.waits  # requests are held, until the migration has completed
    board.complete("migrate")
    board.advance()
    assert not board.rollouts["web"].policy.waits
    assert board.rollouts["web"].goal == Goal("w2", 1)
    board.complete("web", "worker")
    board.advance()
    board.complete("web", "worker")
    assert board.advance().phase == "completed"


def test_a_service_that_waits_to_move_goes_back_with_the_change(board, state, running):
    before = running(state(MIGRATED, web="w1", migrate="m1"))
    after = state(MIGRATED, web="w2", migrate="m2")
    board.accept(moving(after, "web"), before, number=2)
    board.advance()
    board.put("web", "progressing", replicas=())
    board.advance()
    board.fail("migrate")
    assert board.advance().phase == "rolling_back"
    web = board.rollouts["web"]
    assert (web.goal, web.back, web.alone, web.policy.waits) == (Goal("w1", 1), True, True, False)


def test_mover_whose_replicas_moved_already_is_not_waited_for(board, state, running):
    before = running(state(db="d1", web="w1"))
    board.accept(moving(state(db="d1", web="w2"), "db", "web"), before, number=2)
    board.advance()
    assert board.rollouts["db"].policy.waits
    board.complete("db")
    board.put("web", "progressing", replicas=())
    board.advance()
    assert not board.rollouts["db"].policy.waits
