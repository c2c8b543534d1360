"""Which change an undo takes back."""

import pytest
from msgspec.structs import replace

from midair import change as changes
from midair.errors import Conflict, NotFound


@pytest.fixture
def history(state):
    """Changes as (phase, undoes), numbered from 1."""

    def make(*entries):
        made, before = [], None
        for number, entry in enumerate(entries, 1):
            phase, undoes = entry if isinstance(entry, tuple) else (entry, None)
            after = state(web=f"w{number}")
            change = changes.accept(before, after, None, None, number=number, now=0.0, undoes=undoes)
            made.append(replace(change, phase=phase, ended_at=1.0))
            before = after
        return made

    return make


def test_the_last_change_is_taken_back(history):
    assert changes.undo_target(history("completed", "completed", "completed")).id == 3


def test_undo_can_be_repeated_and_walks_back(history):
    assert changes.undo_target(history("completed", "completed", "completed", ("completed", 3))).id == 2


def test_at_least_ten_changes_can_be_taken_back_one_after_the_other(history):
    entries = ["completed"] * 12
    for expected in range(12, 2, -1):
        assert changes.undo_target(history(*entries)).id == expected
        entries.append(("completed", expected))


def test_what_was_before_it_as_it_is_now_is_passed_over(history):
    past = history("completed", "completed", "completed")
    assert changes.undo_target(past, None, lambda change: change.id == 3).id == 2
    assert changes.undo_target(past, 3, lambda change: change.id == 3).id == 3, "it was asked for by its number"
    with pytest.raises(Conflict, match="there is nothing before it"):
        changes.undo_target(past, None, lambda change: True)


def test_what_had_no_effect_is_passed_over(history):
    assert changes.undo_target(history("completed", "completed", "superseded", "rolled_back", "rolling_back")).id == 2


def test_a_numbered_undo_takes_back_all_that_came_after(history):
    past = history("completed", "completed", "completed", "completed", ("completed", 3))
    assert changes.undo_target(past).id == 2


def test_an_undo_can_be_undone_by_its_number(history):
    past = history("completed", "completed", ("completed", 2))
    assert changes.undo_target(past, 3).before is past[2].before
    again = [*past, *history("completed", "completed", "completed", ("completed", 3))[3:]]
    assert changes.undo_target(again).id == 2


def test_a_change_under_way_can_be_taken_back(history):
    assert changes.undo_target(history("completed", "completed", "progressing")).id == 3


def test_a_change_after_an_undo_is_the_next_to_be_taken_back(history):
    assert changes.undo_target(history("completed", "completed", ("completed", 2), "completed")).id == 4


def test_the_first_change_cannot_be_taken_back(history):
    with pytest.raises(Conflict, match="there is nothing before it") as refused:
        changes.undo_target(history("completed"))
    assert refused.value.hint.startswith("run midair down")


def test_a_number_that_does_not_exist_is_refused(history):
    with pytest.raises(NotFound, match="cannot undo change 9"):
        changes.undo_target(history("completed", "completed"), 9)


def test_a_change_without_effect_is_refused_by_number(history):
    with pytest.raises(Conflict, match="it is rolled_back"):
        changes.undo_target(history("completed", "rolled_back"), 2)


def test_nothing_is_left_to_take_back(history):
    with pytest.raises(Conflict, match="no change left"):
        changes.undo_target([])


def test_a_superseded_change_is_ended(board, state):
    first = board.accept(state(web="w1"))
    second = board.accept(state(web="w2"), number=2)
    ended = changes.supersede(first, second, 3.0)
    assert (ended.phase, ended.ended_at, ended.reason) == ("superseded", 3.0, "change 2 took over")


def test_undo_returns_to_revisions_of_completed_changes(state):
    first, second = state(web="w1", db="d1"), state(web="w2", db="d1")
    done = changes.accept(None, first, None, None, number=1, now=0.0)
    failed = changes.accept(first, second, None, None, number=2, now=0.0)
    history = [replace(done, phase="completed", ended_at=1.0), replace(failed, phase="rolled_back", ended_at=1.0)]
    assert changes.returning(history, first) == {"web", "db"}
    assert changes.returning(history, second) == {"db"}


def test_undo_of_a_restart_is_refused_by_number(state):
    same = state(web="w1")
    up = changes.accept(None, same, None, None, number=1, now=0.0)
    restart = changes.accept(same, same, None, None, number=2, now=0.0, kind="restart", restarts=["web"])
    history = [replace(one, phase="completed", ended_at=1.0) for one in (up, restart)]
    with pytest.raises(Conflict, match="a restart changes nothing that could be taken back"):
        changes.undo_target(history, 2, lambda change: change.before == change.after)
    with pytest.raises(Conflict, match="cannot undo change 1"):
        changes.undo_target(history, None, lambda change: change.before == change.after)
