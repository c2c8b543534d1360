"""A router that died is said: in the history, once, and beside the present state for a while."""

import asyncio
import time

from midair.engine import show
from midair.engine.deaths import NEWS_S, RECENT_S
from midair.model.event import MachineRestarted, RouterDied
from midair.router.base import RouterDeath
from midair.store import Store

from .conftest import shop, web


def run(story):
    """Run a test's story in a loop of its own."""
    return asyncio.run(story)


def deaths(site):
    """What the history has of it."""
    events = site.engine.store.events.after(0, project="shop")
    return [(one.change, one.event) for one in events if isinstance(one.event, RouterDied)]


async def look(site):
    """A round of the keeper, and what is shown after it."""
    keeper = site.engine.keeper("shop")
    keeper.nudge()
    await asyncio.sleep(0.05)
    return await show.project(keeper)


def test_a_death_is_in_the_history_once_also_for_the_next_control_plane(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        assert (await look(site)).router.death == ""
        site.gate.deaths += (RouterDeath(back_at=time.time(), lost=3, took_s=0.25, refused=False),)
        told = (await look(site)).router.death
        assert told.startswith("router died, was back after 0.25 s, 3 requests inside it lost; connections made mean")
        await look(site)
        await site.end()
        await site.begin()
        assert (await look(site)).router.death == told
        assert deaths(site) == [(None, RouterDied(site.gate.deaths[0].back_at, 3, 0.25, refused=False))]
        site.gate.deaths += (RouterDeath(back_at=time.time() + 1, lost=1, took_s=None),)
        assert (await look(site)).router.death == (
            "router died while no control plane was there, 1 request inside it lost; "
            "connections made meanwhile were refused and cannot be counted"
        )
        assert len(deaths(site)) == 2
        await site.end()

    run(story())


def test_restart_of_the_machine_is_no_death(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.gate.deaths += (RouterDeath(time.time(), lost=2, rebooted=True),)
        assert (await look(site)).router.death == "the machine was restarted, 2 requests inside the router lost"
        await look(site)
        await site.end()
        await site.begin()
        await look(site)
        events = site.engine.store.events.after(0, project="shop")
        assert sum(isinstance(record.event, MachineRestarted) for record in events) == 1
        assert deaths(site) == []
        await site.end()

    run(story())


def test_a_death_during_a_change_belongs_to_its_report(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.gate.by_hand = True
        change = await site.up(shop(web("blue")))
        site.gate.deaths += (RouterDeath(back_at=time.time(), lost=2, took_s=0.1),)
        await look(site)
        assert [number for number, _ in deaths(site)] == [change.id]
        await site.end()

    run(story())


def test_deaths_in_a_row_are_all_in_the_history(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        now = time.time()
        site.gate.deaths += tuple(RouterDeath(back_at, lost=1, took_s=0.1) for back_at in (now, now - 5, now + 1))
        await look(site)
        assert [one.back_at for _, one in deaths(site)] == [now, now - 5, now + 1], "by order, not by the clock"
        site.gate.deaths += (RouterDeath(now + 2, lost=1, took_s=0.1),)
        await look(site)
        assert len(deaths(site)) == 4
        await site.end()

    run(story())


def test_a_death_is_told_also_after_the_wall_clock_was_set_back(site):
    async def story():
        store = Store(site.home)
        store.meta.set_moment(time.time() + 3 * NEWS_S)  # where midair's own clock goes on
        store.close()
        await site.begin()
        await site.ended(await site.up(shop()))
        site.gate.deaths += (RouterDeath(back_at=time.time(), lost=1, took_s=0.1),)
        assert (await look(site)).router.death
        assert len(deaths(site)) == 1
        await site.end()

    run(story())


def test_what_happened_long_ago_is_not_shown_and_not_told_again(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.gate.deaths += (RouterDeath(back_at=time.time() - RECENT_S - 1, lost=1, took_s=0.1),)
        assert (await look(site)).router.death == ""
        assert len(deaths(site)) == 1
        site.gate.deaths += (RouterDeath(back_at=time.time() - NEWS_S - 1, lost=1, took_s=0.1),)
        await look(site)
        assert len(deaths(site)) == 1
        await site.end()

    run(story())
