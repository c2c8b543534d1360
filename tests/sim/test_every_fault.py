"""Exhaustive: every placement of one fault (and, slower, of two) in small rollouts."""

import time
from random import Random

import pytest

from midair.testing.choose import Placed, every_placement
from midair.testing.planted import planted
from midair.testing.sim import main
from midair.testing.small import SMALL, play_small
from midair.testing.violation import Violation

TWO_FAULTS_S = 25.0  # for each scenario; make sim ARGS="--every-fault 2" plays all


@pytest.mark.parametrize("name", SMALL)
def test_no_single_fault_breaks_a_small_rollout(name):
    runs = sum(1 for _ in every_placement(lambda chooser: play_small(name, chooser), most=1))
    assert runs > 40


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SMALL)
def test_no_two_faults_break_a_small_rollout(name):
    """All pairs, or as many as there is time for; a sample says how large it was."""
    deadline = time.monotonic() + TWO_FAULTS_S
    runs = 0
    for _ in every_placement(lambda chooser: play_small(name, chooser), most=2, shuffled=Random(7)):
        runs += 1
        if time.monotonic() > deadline:
            print(f"{name}: a sample of {runs:,}")
            break
    assert runs > 800


def test_a_bug_that_needs_a_certain_fault_is_found_by_placing_it():
    with planted("forget an outstanding route"), pytest.raises(Violation):
        for _ in every_placement(lambda chooser: play_small("one replica, start-first", chooser), most=1):
            pass


def test_the_command_tries_every_fault_and_says_which_one_broke_it(capsys):
    assert main(["--every-fault", "1", "--plant", "stop before the route is settled"]) == 1
    assert "out before down" in (told := capsys.readouterr().out)
    assert "with faults at the points (" in told


def test_placements_are_all_different_and_complete():
    def three_points(chooser: Placed) -> None:
        for _ in range(3):
            chooser.fault("it fails")

    placements = list(every_placement(three_points, most=2))
    assert sorted(placements) == [(), (0,), (0, 1), (0, 2), (1,), (1, 2), (2,)]
