"""The panel fits the terminal it is shown on."""

import pytest

from midair.demo.show import window


@pytest.mark.parametrize("room", [-5, 0, 3, 8, 14, 50])
def test_the_chapter_that_is_played_is_always_seen(room):
    for current in range(15):
        first, last = window(14, current, room)
        assert 0 <= first <= min(current, 13) < last
        assert last - first <= max(room, 3)
