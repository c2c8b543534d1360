"""What is being accepted is waited for by those who would end it."""

import asyncio

import pytest

from midair.errors import Conflict

from .conftest import shop


def test_a_restart_waits_for_what_is_being_accepted(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        keeper = site.engine.keeper("shop")
        await site.until(lambda: not keeper.accepting.locked())
        await keeper.accepting.acquire()
        waiting = asyncio.create_task(site.engine.await_accepted(10.0))
        await site.until(lambda: keeper.accepting._waiters)
        assert not waiting.done()
        keeper.accepting.release()
        await waiting
        await site.end()

    asyncio.run(story())


def test_a_restart_does_not_wait_for_ever(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        async with site.engine.keeper("shop").accepting:
            with pytest.raises(Conflict, match='project "shop" is being built or saved just now'):
                await site.engine.await_accepted(0.01)
        await site.end()

    asyncio.run(story())
