"""The engine over fakes: changes, wishes and deaths, without a process or a port."""

import asyncio

import pytest
from msgspec.structs import replace

from midair.engine import show
from midair.errors import BuildTrouble, Conflict, NotFound, PlanRefused, UsageRefused
from midair.model.project import Build, Port, Strategy, StrategyStep
from midair.model.rollout import Promote
from midair.testing.runtime import Behaviour
from midair.view.ask import AskPlan, AskScale, AskUp

from .conftest import shop, web


def run(story):
    """Run a test's story in a loop of its own."""
    return asyncio.run(story)


def test_an_up_starts_what_the_file_says(site):
    async def story():
        await site.begin()
        change = await site.ended(await site.up(shop()))
        assert change.phase == "completed"
        assert len(site.living()) == 2
        assert {route.replica for route in site.gate.settled["web"].routes} == set(site.living())
        await site.end()

    run(story())


def test_an_up_exchanges_every_replica_and_undo_brings_the_old_ones_back(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        before = site.living()
        await site.ended(await site.up(shop(web("blue"))))
        assert not set(before) & set(site.living())
        undone = await site.ended(await site.undo())
        assert (undone.phase, undone.kind, undone.undoes) == ("completed", "undo", 2)
        assert site.living() == before
        await site.end()

    run(story())


def test_a_new_revision_that_fails_comes_back_and_is_not_counted_as_state(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        before = site.living()
        plan = await site.engine.plan(AskPlan(shop(web("broken"))))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(exits_after_s=0.01)
        change = await site.ended(await site.up(shop(web("broken"))))
        assert change.phase == "rolled_back"
        assert "exited with code 1" in change.reason
        assert site.living() == before
        assert (await site.engine.plan(AskPlan(shop()))).is_empty
        await site.end()

    run(story())


def test_a_second_up_takes_over_in_the_middle_of_the_first(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        plan = await site.engine.plan(AskPlan(shop(web("slow"))))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(ready_after_s=60.0)
        slow = await site.up(shop(web("slow")))
        await site.until(lambda: len(site.living()) > 2)
        site.gate.begin(site.living()[0], 7)
        site.gate.end(site.living()[0], 7)
        last = await site.ended(await site.up(shop(web("blue"))))
        assert last.phase == "completed"
        first = site.engine.store.changes.get("shop", slow.id)
        assert (first.phase, first.tally.accepted, last.tally.accepted) == ("superseded", 7, 0)
        await site.until(lambda: len(site.living()) == 2)
        await site.end()

    run(story())


def test_a_change_goes_on_with_the_next_engine(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        change = await site.up(shop(web("blue")))
        await site.end()  # at once: nothing was started yet, or something was
        await site.begin()
        assert (await site.ended(change)).phase == "completed"
        assert len(site.living()) == 2
        await site.end()

    run(story())


def test_down_stops_everything_and_keeps_the_history(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.down())
        await site.until(lambda: not site.gate.running)
        assert site.living() == []
        assert len(site.engine.store.changes.all("shop")) == 2
        assert site.engine.keeper("shop").state.rollouts == {}
        await site.ended(await site.undo())
        assert len(site.living()) == 2
        await site.end()

    run(story())


def test_scale_is_a_change_that_can_be_undone(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        change = await site.engine.scale("shop", AskScale({"web": 4}), site.lines.append)
        await site.ended(change)
        assert len(site.living()) == 4
        assert (await site.engine.plan(AskPlan(shop()))).drift
        await site.ended(await site.undo())
        assert len(site.living()) == 2
        with pytest.raises(NotFound, match='cannot scale "wbe"'):
            await site.engine.scale("shop", AskScale({"wbe": 4}), site.lines.append)
        await site.end()

    run(story())


def test_a_change_ends_with_the_count_of_its_requests(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        replica = site.living()[0]
        site.gate.begin(replica, 7)
        site.gate.end(replica, 7)
        change = await site.up(shop(web("blue")))
        site.gate.begin(replica, 5)
        site.gate.end(replica, 4)
        site.gate.end(replica, outcome="lost")
        ended = await site.ended(change)
        assert (ended.tally.accepted, ended.tally.answered, ended.tally.lost) == (5, 4, 1)
        told = site.engine.store.events.after(0, project="shop")[-1].event
        assert (told.accepted, told.lost) == (5, 1)
        await site.end()

    run(story())


def test_a_plan_that_is_old_is_not_carried_out(site):
    async def story():
        await site.begin()
        plan = await site.engine.plan(AskPlan(shop()))
        await site.ended(await site.up(shop(web("blue"))))
        with pytest.raises(Conflict, match="it is out of date") as refused:
            await site.engine.up(AskUp(shop(), plan.digest), site.lines.append)
        assert refused.value.hint.startswith("run midair plan")
        await site.end()

    run(story())


def test_two_ups_at_once_are_one_after_the_other(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        plan = await site.engine.plan(AskPlan(shop(web("blue"))))
        ask = AskUp(shop(web("blue")), plan.digest)
        both = await asyncio.gather(
            site.engine.up(ask, site.lines.append), site.engine.up(ask, site.lines.append), return_exceptions=True
        )
        assert [type(one) is Conflict for one in both].count(True) == 1
        await site.end()

    run(story())


def test_a_canary_says_which_step_it_is_at_and_what_it_waits_for(site):
    async def story():
        await site.begin()
        steps = (StrategyStep(weight=50), StrategyStep(pause_s=-1.0), StrategyStep(pause_s=60.0))
        canary = Strategy("canary", steps)
        first = await site.up(shop(web(strategy=canary)))
        keeper = site.engine.keeper("shop")
        await site.until(lambda: keeper.state.rollouts)
        assert (await show.project(keeper)).services[0].step == "", "nothing is there to be careful with"
        await site.ended(first)
        await site.up(shop(web("blue", strategy=canary)))
        await site.until(lambda: keeper.state.rollouts["web"].step == 1)
        assert (await show.project(keeper)).services[0].step == "step 2 of 3: waits for midair promote web"
        keeper.wish("web", Promote(), "promote")
        assert (await show.project(keeper)).services[0].step == ""
        await site.end()

    run(story())


def test_a_taken_port_is_refused_before_anything_is_stored(site):
    async def story():
        await site.begin()
        site.gate.taken[8000] = "another program has it"
        with pytest.raises(PlanRefused, match="another program has it"):
            await site.up(shop())
        assert site.engine.store.changes.latest("shop") is None
        assert site.engine.projects() == ()
        assert not site.gate.running, "a router that nobody needs was left"
        await site.end()

    run(story())


def test_a_port_that_is_not_routed_is_warned_of_and_not_refused(site):
    async def story():
        await site.begin()
        site.gate.taken[5353] = "the router does not route udp"
        found = web()
        found = replace(found, ports=(*found.ports, Port(5353, 53, protocol="udp")))
        assert (await site.ended(await site.up(shop(found)))).phase == "completed"
        await site.end()

    run(story())


def test_a_missing_command_is_refused_and_what_runs_goes_on(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        before = site.living()
        site.machine.reasons["web"] = ('cannot start service "web": no program "serv"',)
        with pytest.raises(PlanRefused, match='no program "serv"'):
            await site.up(shop(web("blue")))
        assert site.living() == before
        assert len(site.engine.store.changes.all("shop")) == 1
        await site.end()

    run(story())


def test_a_build_that_fails_stores_nothing_and_one_that_works_is_told(site):
    async def story():
        await site.begin()
        site.machine.build_trouble["web"] = "no space"
        with pytest.raises(BuildTrouble, match="no space"):
            await site.up(shop(web(build=Build("/srv/shop"))))
        assert site.engine.store.changes.latest("shop") is None
        site.machine.build_trouble.clear()
        await site.ended(await site.up(shop(web(build=Build("/srv/shop")))))
        assert [line.kind for line in site.lines] == ["progress"]
        await site.end()

    run(story())


def test_names_that_could_be_paths_are_refused(site):
    async def story():
        await site.begin()
        for name in ("..", "a/b", "", "A", "-x", "a" * 64):
            with pytest.raises(UsageRefused, match="cannot use project"):
                await site.engine.plan(AskPlan(shop_named(name)))
        evil = web()
        with pytest.raises(UsageRefused, match="cannot use service"):
            await site.engine.plan(AskPlan(type(shop())("shop", {"..": evil})))
        await site.end()

    run(story())


def shop_named(name):
    return type(shop())(name, {"web": web()})


def test_a_router_that_cannot_be_asked_is_a_fact_and_no_end(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.gate.trouble = "gone for a while"
        change = await site.up(shop(web("blue")))
        await asyncio.sleep(0.1)
        assert site.engine.store.changes.get("shop", change.id).ended_at is None
        site.gate.trouble = ""
        assert (await site.ended(change)).phase == "completed"
        await site.end()

    run(story())


def test_old_changes_are_forgotten_with_what_only_they_needed(site):
    async def story():
        await site.begin()
        for number in range(35):
            site.machine.code["web"] = f"code {number}"
            await site.ended(await site.up(shop(web(build=Build("/srv/shop"), replicas=1))))
        await site.until(lambda: len(site.engine.store.changes.all("shop")) == 30)
        await site.until(lambda: len(site.machine.releases) == 31)  # the state before the oldest one included
        keeper = site.engine.keeper("shop")
        await site.until(lambda: len(keeper.state._revisions) <= 31 and len(keeper.world._adapted) <= 31)
        for _ in range(10):
            assert (await site.ended(await site.undo())).phase == "completed"
        await site.end()

    run(story())


def test_undo_to_a_removed_release_is_refused_untouched(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop(web(build=Build("/srv/shop")))))
        first, site.machine.releases = site.machine.releases, set()
        site.machine.code["web"] = "other"
        await site.ended(await site.up(shop(web(build=Build("/srv/shop")))))
        before = site.living()
        with pytest.raises(PlanRefused, match=f'cannot undo: release "{next(iter(first))}" was removed'):
            await site.undo()
        assert site.living() == before
        assert site.engine.keeper("shop").state.change.id == 2
        await site.end()

    run(story())


def test_scaling_up_needs_the_release_to_be_there(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop(web(build=Build("/srv/shop")))))
        site.machine.releases = set()
        await site.ended(await site.engine.scale("shop", AskScale({"web": 1}), site.lines.append))
        with pytest.raises(PlanRefused, match="cannot scale: release"):
            await site.engine.scale("shop", AskScale({"web": 3}), site.lines.append)
        await site.end()

    run(story())


def test_a_start_that_ends_after_its_project_is_taken_back(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        keeper = site.engine.keeper("shop")
        runtime, late = keeper.world.runtimes["process"], asyncio.Event()
        perform = runtime.perform

        async def slowly(action, revision):
            if type(action).__name__ == "StartReplica":
                await late.wait()
            await perform(action, revision)

        runtime.perform = slowly
        await site.up(shop(web("blue")))
        await site.until(lambda: keeper._hands.is_busy("web"))
        await site.ended(await site.down())
        assert keeper.state.rollouts, "it would be forgotten before it is there"
        late.set()
        await site.until(lambda: not keeper.state.rollouts)
        assert site.living() == []
        await site.end()

    run(story())


def test_a_runtime_is_opened_once_whoever_asks_first(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.end()
        opened = []
        await site.begin(opened=opened.append)
        await asyncio.gather(*(site.engine.keeper("shop").world.runtime("process") for _ in range(5)))
        assert len(opened) == 1
        await site.end()

    run(story())
