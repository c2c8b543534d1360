"""What a change cost, and what users got, by the router's counts."""

import pytest

from midair.change import accept
from midair.engine.count import begun, counted, counts_view
from midair.model.counters import NUMBERS, PLACES, Record
from midair.model.plan import Plan, PlanStep
from midair.model.seen import Tally
from midair.router.base import RevisionCount, RouterSeen
from midair.testing.scenario import applied, service_of
from midair.view.failures import failures_of, failures_text


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
    seen = RouterSeen({}, (RevisionCount("web", "w1", now, {}),), 1, 0.0)
    assert counted(change, seen).tally == cost


def answers(**revisions):
    """What the router says: answers in order and failed ones by revision of service "web"."""
    return RouterSeen(
        {},
        tuple(
            RevisionCount("web", revision, Tally(), {"1xx": 7, "2xx": well, "5xx": failed})
            for revision, (well, failed) in revisions.items()
        ),
        1,
        0.0,
    )


@pytest.mark.parametrize(
    ("at_first", "at_last", "text"),
    [
        ({"w1": (1000, 0)}, {"w1": (1100, 0), "w2": (793, 207)}, "5xx 0.0 % → 20.7 % ▲"),
        ({"w1": (1000, 0)}, {"w1": (1100, 0), "w2": (500, 0)}, "5xx 0.0 %"),
        ({"w1": (90, 10)}, {"w1": (90, 10), "w2": (85, 15)}, "5xx 10.0 % → 15.0 %"),
        ({"w1": (90, 10)}, {"w1": (90, 10), "w2": (80, 20)}, "5xx 10.0 % → 20.0 % ▲"),
        ({"w1": (90, 0)}, {"w1": (90, 0), "w2": (49, 50)}, "5xx 0.0 % → 50.5 %"),  # of 99 answers
        ({"w1": (1000, 0)}, {"w1": (1000, 0), "w2": (990, 10)}, "5xx 0.0 % → 1.0 %"),  # not above 1 %
        ({}, {"w2": (90, 10)}, "5xx 10.0 % ▲"),
        ({"w1": (10, 0)}, {"w1": (30, 0)}, ""),  # the new revision answered nothing
        ({"w1": (10, 0), "w2": (0, 100)}, {"w1": (10, 0), "w2": (200, 100)}, "5xx 0.0 %"),  # it had passed before
        ({"w1": (10, 0), "w2": (0, 100)}, {"w2": (8, 2)}, "5xx 0.0 % → 20.0 %"),  # the counts were lost meanwhile
    ],
)
def test_a_change_ends_with_what_users_got(at_first, at_last, text):
    before, after = (applied({"web": (service_of("web", number), f"w{number}")}) for number in (1, 2))
    plan = Plan("shop", (PlanStep("web", "replace", "roll"),))
    change = begun(accept(before, after, plan, None, number=1, now=0.0), answers(**at_first))
    assert failures_text(failures_of(counted(change, answers(**at_last)))) == text


def test_of_several_services_those_that_failed_are_named():
    before = applied({name: (service_of(name, 1), "w1") for name in ("web", "api", "mail")})
    plan = Plan("shop", tuple(PlanStep(name, "replace", "roll") for name in ("web", "api")))
    change = begun(accept(None, before, plan, None, number=1, now=0.0), None)
    for failed, text in ((50, "api 5xx 50.0 % ▲"), (0, "5xx 0.0 %")):
        counts = tuple(
            RevisionCount(name, "w1", Tally(), {"2xx": 50, "5xx": failed if name != "web" else 0})
            for name in ("web", "api", "mail")
        )
        assert failures_text(failures_of(counted(change, RouterSeen({}, counts, 1, 0.0)))) == text


def record(revision, replica, **counters):
    numbers = [0] * NUMBERS
    for name, number in counters.items():
        numbers[PLACES[name]] = number
    return Record("web", revision, replica, tuple(numbers))


def test_counts_are_shown_by_revision_and_by_replica():
    records = (
        record("w1", "", accepted=5, status_2xx=5, long_lived_at=1800),
        record("w1", "web/w1/0", accepted=3, status_5xx=2, lost=1, long_lived_at=1700),
    )
    view = counts_view("shop", records)
    assert view.total == Tally(8, 7, lost=1)
    (revision,), (replica,) = view.services, view.replicas
    assert [revision.counters[name] for name in ("accepted", "status_2xx", "status_5xx")] == [8, 5, 2]
    assert revision.counters["long_lived_at"] == 1800
    assert (replica.replica, replica.counters["accepted"]) == ("web/w1/0", 3)
