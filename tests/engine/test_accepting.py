"""What is being accepted is waited for by those who would end it."""

import asyncio

import pytest

from midair.errors import Conflict
from midair.view.ask import AskScale

from .conftest import shop, web
from .test_flags import BUTTON, ask, told, with_flags


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


@pytest.mark.parametrize("what", ["up", "scale"])
def test_a_flag_that_is_changed_meanwhile_is_not_changed_back(site, what):
    async def story():
        await site.begin()
        await site.ended(await site.up(with_flags(shop(), **{"new-button": BUTTON})))
        runtime = site.engine.keeper("shop").world.runtimes["process"]
        arrange = runtime.arrange

        async def slow(project):
            runtime.arrange = arrange
            site.engine.flags.change("shop", ask("on"))
            return await arrange(project)

        runtime.arrange = slow
        asked = {
            "up": lambda: site.up(with_flags(shop(web("blue")), **{"new-button": BUTTON})),
            "scale": lambda: site.engine.scale("shop", AskScale({"web": 3}), site.lines.append),
        }
        with pytest.raises(Conflict, match="the project was changed meanwhile"):
            await asked[what]()
        assert told(site) == {"new-button": "on for everyone"}
        await site.end()

    asyncio.run(story())


def test_a_runtime_knows_what_the_project_is_to_be_before_it_does_anything(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        world = site.engine.keeper("shop").world
        heard, make = [], world._make_runtime

        def deaf(name):
            runtime = make(name)
            runtime.in_force = heard.append
            return runtime

        world._make_runtime = deaf
        await world.runtime("another")
        assert [set(project.services) for project in heard] == [{"web"}]
        await site.end()

    asyncio.run(story())
