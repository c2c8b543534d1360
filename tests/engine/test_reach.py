"""Above the shells: what the router cannot connect to gets no request; an older router is asked for no connection."""

import asyncio

from midair.engine import show
from midair.model.action import ReachReplicas
from midair.view.ask import AskPlan

from .conftest import shop, web


def replicas(view):
    """State and detail of the new replicas of the only service."""
    return [(one.state, one.detail) for one in view.services[0].revisions[0].replicas]


def is_named(site, replica):
    """Whether the router was asked to connect to a replica."""
    action = site.gate.candidates.get("web")
    return action is not None and any(one.replica == replica for one in action.candidates)


def test_replica_that_refuses_the_router_is_starting_until_it_listens(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop(web(replicas=1))))
        [before] = site.living()
        plan = await site.engine.plan(AskPlan(shop(web("blue", replicas=1))))
        new = f"web/{plan.steps[0].after}/0"
        site.gate.refusing.add(new)
        change = await site.up(shop(web("blue", replicas=1)))
        await site.until(lambda: is_named(site, new))
        keeper = site.engine.keeper("shop")
        view = await show.project(keeper)
        assert replicas(view) == [("starting", "connection refused on port 20002")]
        assert [route.replica for route in site.gate.settled["web"].routes] == [before]
        site.gate.refusing.clear()
        site.gate.changed()
        assert (await site.ended(change)).phase == "completed"
        assert site.living() == [new]
        await site.end()

    asyncio.run(story())


def test_change_completes_with_a_router_of_an_older_version(site):
    async def story():
        site.gate.reaches = False
        await site.begin()
        await site.ended(await site.up(shop()))
        assert (await site.ended(await site.up(shop(web("blue"))))).phase == "completed"
        assert not any(isinstance(action, ReachReplicas) for action in site.gate.performed)
        assert site.gate.candidates == {}
        site.gate.reaches = True  # it was restarted
        before = site.living()
        assert (await site.ended(await site.up(shop(web("blue", replicas=3))))).phase == "completed"
        assert set(before) < set(site.living())
        await site.end()

    asyncio.run(story())
