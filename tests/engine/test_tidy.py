"""What a change leaves behind is tidied up: also when something was in the way, and when the daemon ends meanwhile."""

import asyncio
import sqlite3

import pytest

from midair.engine.tidy import Tidying
from midair.errors import RuntimeTrouble

from .conftest import shop


def test_a_daemon_that_ends_does_not_leave_half_of_it():
    asyncio.run(ends_in_the_middle())


async def ends_in_the_middle():
    begun, done = asyncio.Event(), []

    async def work():
        begun.set()
        await asyncio.sleep(0.05)
        done.append("networks")

    tidying = Tidying(work)
    tidying.begin()
    await begun.wait()
    await tidying.close(5.0)
    assert done == ["networks"]


@pytest.mark.parametrize(
    "trouble", [RuntimeTrouble("the Docker engine does not answer"), OSError(28, "no space"), sqlite3.Error("locked")]
)
def test_what_was_in_the_way_is_tried_again(trouble):
    asyncio.run(in_the_way(trouble))


async def in_the_way(trouble):
    attempts, worked = [], asyncio.Event()

    async def work():
        attempts.append(1)
        if len(attempts) < 3:
            raise trouble
        worked.set()

    tidying = Tidying(work, again_s=0.001)
    tidying.begin()
    async with asyncio.timeout(5):
        await worked.wait()
    await tidying.close(5.0)
    assert len(attempts) == 3


def test_a_daemon_does_not_stay_for_what_is_in_the_way():
    asyncio.run(stays_in_the_way())


async def stays_in_the_way():
    tried = asyncio.Event()

    async def work():
        tried.set()
        raise RuntimeTrouble("cannot list networks: the Docker engine does not answer")

    tidying = Tidying(work, again_s=60.0)
    tidying.begin()
    await tried.wait()
    async with asyncio.timeout(2):
        await tidying.close(5.0)


def test_a_change_that_ends_while_it_is_tidied_up_is_tidied_up_after():
    asyncio.run(another_one_ends())


async def another_one_ends():
    rounds, gate = [], asyncio.Event()

    async def work():
        rounds.append(1)
        await gate.wait()

    tidying = Tidying(work)
    tidying.begin()
    await asyncio.sleep(0)
    tidying.begin()
    gate.set()
    await tidying.close(5.0)
    assert len(rounds) == 2


def test_a_daemon_that_ends_takes_the_router_of_an_empty_project_along(site):
    async def story():
        keeper = await emptied(site)
        keeper.accepting.release()
        await site.end()
        assert not site.gate.running

    asyncio.run(story())


async def emptied(site):
    """A project that was taken down while its lock was held, which is held still."""
    await site.begin()
    await site.ended(await site.up(shop()))
    change = await site.down()
    keeper = site.engine.keeper("shop")
    await keeper.accepting.acquire()
    await site.ended(change)
    await site.until(lambda: keeper.state.is_empty)
    return keeper
