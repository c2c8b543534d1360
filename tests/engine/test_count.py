"""What a change cost, by the router's counts."""

import pytest

from midair.change import accept
from midair.engine.count import counted
from midair.model.seen import Tally
from midair.router.base import Latency, RevisionCount, RouterSeen
from midair.testing.scenario import applied, service_of


@pytest.mark.parametrize(
    ("baseline", "now", "cost"),
    [
        (Tally(10, 10), Tally(25, 24, lost=1), Tally(15, 14, lost=1)),
        (Tally(10, 10), Tally(3, 3), Tally(3, 3)),
        # The counts were lost with their file, and those of the next router have passed what was accepted before.
        (Tally(10, 8, lost=2), Tally(40, 40), Tally(40, 40)),
    ],
)
def test_cost_of_a_change_is_never_negative(baseline, now, cost):
    after = applied({"web": (service_of("web", 1), "w1")})
    change = accept(None, after, None, None, number=1, now=0.0, baseline=baseline)
    seen = RouterSeen({}, (RevisionCount("web", "w1", now, {}, Latency(())),), 1, 0.0)
    assert counted(change, seen).tally == cost
