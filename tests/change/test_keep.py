"""Which changes the history keeps."""

from msgspec.structs import replace

from midair import change as changes
from midair.change.keep import NEWEST


def history_of(state, *entries):
    """Changes as (kind, phase), numbered from 1; those of kind "up" bring another revision."""
    made, before, revision = [], None, 0
    for number, (kind, phase) in enumerate(entries, 1):
        revision += kind == "up"
        after = state(web=f"w{revision}")
        change = changes.accept(before, after, None, None, number=number, now=0.0, kind=kind)
        made.append(replace(change, phase=phase, ended_at=1.0))
        before = after if phase == "completed" else before
    return made


def test_flags_and_scaling_push_no_code_out(state):
    code = [("up", "completed")] * 12
    others = [("flag", "completed"), ("scale", "completed")] * 40
    history = history_of(state, *code, *others)
    assert set(range(1, 13)) < changes.to_keep(history)


def test_failed_changes_push_no_code_out(state):
    history = history_of(state, *[("up", "completed")] * 12, *[("up", "rolled_back")] * 60)
    assert set(range(1, 13)) < changes.to_keep(history)


def test_history_is_bounded(state):
    history = history_of(state, *[("up", "completed"), ("flag", "completed")] * 100)
    needed = changes.to_keep(history)
    assert {change.id for change in history[-NEWEST:]} < needed
    assert len(needed) == 45, "the newest 30 of any kind, 15 of them code, and 15 older ones of code"
