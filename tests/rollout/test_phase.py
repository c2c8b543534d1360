"""The table of phases, and the page that is drawn from it."""

import importlib.util
from pathlib import Path
from typing import get_args

import pytest

from midair.model.rollout import Phase
from midair.rollout.phase import FORWARD, MOVES, STEADY, UNDER_WAY, check_move

ROOT = Path(__file__).parents[2]


def test_every_phase_is_in_the_table():
    assert set(MOVES) == set(get_args(Phase))
    assert set(MOVES) == STEADY | UNDER_WAY | {"superseded"}
    assert FORWARD < UNDER_WAY


def test_every_move_has_a_reason():
    assert all(reason for moves in MOVES.values() for reason in moves.values())


def test_superseded_is_the_end():
    assert MOVES["superseded"] == {}
    assert all("superseded" in moves for phase, moves in MOVES.items() if phase != "superseded")


def test_a_rollback_never_goes_forward_again():
    assert set(MOVES["rolling_back"]) == {"rolled_back", "stuck", "superseded"}
    assert set(MOVES["rolled_back"]) == {"superseded"}


def test_a_move_that_is_not_in_the_table_is_a_defect():
    with pytest.raises(AssertionError, match="no move from completed to progressing"):
        check_move("completed", "progressing")


def test_the_page_about_rollouts_is_drawn_from_the_table():
    spec = importlib.util.spec_from_file_location("draw_phases", ROOT / "tools" / "draw_phases.py")
    draw_phases = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw_phases)
    text = draw_phases.PAGE.read_text()
    assert draw_phases.renewed(text) == text, "run python tools/draw_phases.py"
