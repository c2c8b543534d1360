"""What the plan of an `up` says again: warnings of earlier changes, and connections that somebody has."""

import asyncio

from msgspec.structs import replace

from midair.engine.count import had_long_lived
from midair.model.seen import Tally
from midair.router.base import RevisionCount, RouterSeen
from midair.view.ask import AskPlan

from .conftest import shop, web


def test_warnings_of_accepted_changes_are_repeated(site):
    def capable(colour):
        service = web(colour)
        return shop(replace(service, fields={**service.fields, "cap_add": ["SYS_TIME"]}))

    async def story():
        await site.begin()
        first = await site.engine.plan(AskPlan(capable("red")))
        again = await site.engine.plan(AskPlan(capable("red")))
        # A plan that nobody applied has been confirmed by nobody.
        assert first.warnings
        assert again.repeated == ()
        await site.ended(await site.up(capable("red")))
        second = await site.engine.plan(AskPlan(capable("blue")))
        assert second.repeated == (*first.warnings, *first.notes)
        await site.end()
        # An engine that begins later knows it, too.
        await site.begin()
        assert (await site.engine.plan(AskPlan(capable("blue")))).repeated == second.repeated
        await site.end()

    asyncio.run(story())


def test_only_the_last_day_has_long_lived_connections():
    def seen(at):
        return RouterSeen({}, (RevisionCount("web", "w1", Tally(), {}, long_lived_at=at),), 1, 0.0)

    now = 1_800_000_000.0
    assert had_long_lived(seen(now - 3600), now) == {"web"}
    assert had_long_lived(seen(now - 90_000), now) == set()
    # An older router adds moments up, or has none.
    assert had_long_lived(seen(2 * now), now) == set()
    assert had_long_lived(seen(0.0), now) == had_long_lived(None, now) == set()
