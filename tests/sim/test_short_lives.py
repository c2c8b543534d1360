"""A control plane that dies after each of its commits, before it has acted on any. Each life gets on a little."""

import pytest

from midair.testing.choose import Placed, Seeded, every_placement
from midair.testing.planted import planted
from midair.testing.play import Play
from midair.testing.scenario import draw
from midair.testing.small import SMALL
from midair.testing.violation import Violation


def play_short_lives(scenario, chooser, disturb=False):
    play = Play(scenario, chooser)
    play.plane.dies_after_each_commit = True
    play.run(disturb=disturb)
    return play


@pytest.mark.parametrize("name", SMALL)
def test_lives_of_one_commit_each_carry_a_change_through_or_back(name):
    play = play_short_lives(SMALL[name], Placed())
    assert play.checks.marks["it dies after the commit"] > 3


@pytest.mark.parametrize("name", ["one replica, start-first", "one replica that dies"])
def test_so_they_do_with_any_fault_besides(name):
    runs = sum(1 for _ in every_placement(lambda one: play_short_lives(SMALL[name], one, disturb=True), most=1))
    assert runs > 40


def test_so_they_do_from_any_beginning():
    for seed in range(200):
        chooser = Seeded(seed)
        play_short_lives(draw(chooser), chooser)


def test_they_would_not_if_asking_again_had_to_be_stored_first():
    with planted("store each asking for routes"), pytest.raises(Violation, match=r"it does not spin|every change ends"):
        play_short_lives(SMALL["one replica, start-first"], Placed())
