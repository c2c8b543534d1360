"""What somebody else stops or removes on purpose stays so until the next `up`."""

import asyncio

from msgspec.structs import replace

from midair.view.ask import AskPlan

from .conftest import shop, web


def end_by_hand(site, how):
    """Let every replica be seen as ended by somebody else."""
    now = site.engine.clock()
    for name, fake in site.machine.replicas.items():
        seen = replace(fake.seen, state="exited", since=now, by_hand=how, exit_code=137)
        site.machine.replicas[name] = replace(fake, seen=seen, ends_at=None)
    site.engine.keeper("shop").nudge()


def test_replica_stopped_by_hand_waits_for_up(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop(web(replicas=1))))
        started = site.machine.started
        end_by_hand(site, "stopped")
        await site.until(lambda: site.engine.keeper("shop").state.rollouts["web"].replicas[0].by_hand == "stopped")
        assert site.machine.started == started
        plan = await site.engine.plan(AskPlan(shop(web(replicas=1))))
        assert [change.cause for change in plan.steps[0].changes] == ["it was stopped by hand, and is started again"]
        assert (await site.ended(await site.up(shop(web(replicas=1))))).phase == "completed"
        assert site.machine.started == started + 1
        await site.end()

    asyncio.run(story())


def test_project_taken_down_by_somebody_else_is_down(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        started = site.machine.started
        end_by_hand(site, "removed")
        await site.until(lambda: site.engine.keeper("shop").state.is_empty)
        change = site.engine.keeper("shop").state.change
        assert (change.kind, change.phase, change.by) == ("down", "completed", "somebody else, outside midair")
        assert site.machine.started == started
        assert not change.warnings
        await site.end()

    asyncio.run(story())
