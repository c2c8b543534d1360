"""The panel fits the terminal it is shown on."""

import io

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.cli import views

from midair.demo.chapters import CHAPTERS
from midair.demo.show import Panel, window
from midair.model.seen import Tally


@pytest.mark.parametrize("room", [-5, 0, 3, 8, 14, 50])
def test_the_chapter_that_is_played_is_always_seen(room):
    for current in range(15):
        first, last = window(14, current, room)
        assert 0 <= first <= min(current, 13) < last
        assert last - first <= max(room, 3)


def test_the_last_figures_stay_while_nobody_can_say_more():
    panel = Panel(CHAPTERS)
    panel.close()

    def shown(seen):
        console = Console(file=io.StringIO(), width=120)
        console.print(panel._replicas(seen))
        return console.file.getvalue()

    assert "is away" in shown(None)
    assert "18,204 requests accepted" in shown(views.project())
    gone = shown(None)
    assert "18,204 requests accepted" in gone
    assert "the control plane is away; requests go on" in gone
    begins_again = replace(views.project(), router=None, counts=Tally())
    assert "18,204 requests accepted" in shown(begins_again)
    assert "20,000 requests accepted" in shown(replace(views.project(), counts=Tally(20_000)))
