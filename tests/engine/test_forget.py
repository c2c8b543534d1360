"""What makes no difference is no change, and what is forgotten leaves nothing."""

import asyncio

import pytest
from msgspec.structs import replace

from midair.errors import Conflict, NotFound, RuntimeTrouble, StoreTrouble
from midair.model.project import Build
from midair.testing.runtime import Behaviour
from midair.view.ask import AskPlan, AskScale

from .conftest import shop, web


def run(story):
    """Run a test's story in a loop of its own."""
    return asyncio.run(story)


def numbers(site):
    """The changes on record."""
    return [int(change.id) for change in site.engine.store.changes.all("shop")]


def test_asking_for_what_is_there_already_is_no_change(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        scaled = await site.engine.scale("shop", AskScale({"web": 2}), site.lines.append)
        assert (scaled.id, scaled.has_ended) == (1, True)
        await site.ended(await site.down())
        again = await site.down()
        assert (again.id, again.has_ended) == (2, True)
        to_before_the_down = await site.undo(2)
        await site.ended(to_before_the_down)
        once_more = await site.undo(2)
        assert (once_more.id, once_more.has_ended) == (3, True)
        assert numbers(site) == [1, 2, 3]
        await site.end()

    run(story())


def test_a_second_down_is_told_of_the_first_that_is_under_way(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        first = await site.down()
        second = await site.down()
        assert (second.id, second.has_ended) == (first.id, False)
        await site.ended(first)
        await site.end()

    run(story())


def test_repeated_undo_gets_past_a_change_that_makes_no_difference(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.up(shop(web("blue"))))
        plan = await site.engine.plan(AskPlan(shop(web("slow"))))
        site.machine.behaviours[plan.steps[0].after] = Behaviour(ready_after_s=60.0)
        await site.up(shop(web("slow")))
        await site.ended(await site.up(shop(web("green"))))  # before both of them it was blue
        assert (await site.ended(await site.undo())).after.project.services["web"].environment == {"COLOUR": "blue"}
        assert (await site.ended(await site.undo())).after.project.services["web"].environment == {"COLOUR": "red"}
        await site.end()

    run(story())


def test_what_is_stuck_is_asked_for_again(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        state = site.engine.keeper("shop").state
        state.change = replace(state.change, phase="stuck")
        assert (await site.engine.scale("shop", AskScale({"web": 2}), site.lines.append)).id == 2
        await site.end()

    run(story())


def test_a_project_that_runs_is_not_forgotten(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        with pytest.raises(Conflict, match="web not stopped yet") as refused:
            await site.engine.forget("shop")
        assert refused.value.hint.startswith("run midair down")
        assert len(site.living()) == 2
        assert site.engine.keeper("shop").state.change.id == 1
        await site.end()

    run(story())


def test_a_forgotten_project_can_begin_again(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        folder = site.home / "projects" / "shop" / "releases"
        folder.mkdir(parents=True)
        await site.ended(await site.down())
        await site.engine.forget("shop")
        assert site.engine.projects() == ()
        assert not site.gate.running
        assert not folder.parent.exists()
        assert [path.name for path in site.home.iterdir() if path.name.startswith(".forgotten")] == []
        for late in (site.down, site.undo, lambda: site.engine.forget("shop")):
            with pytest.raises(NotFound, match='cannot find project "shop"'):
                await late()
        assert (await site.ended(await site.up(shop()))).id == 1
        await site.end()

    run(story())


def test_who_waited_while_a_project_was_forgotten_changes_nothing(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.down())
        keeper = site.engine.keeper("shop")
        await keeper.accepting.acquire()
        forgetting = asyncio.create_task(site.engine.forget("shop"))
        await asyncio.sleep(0)
        undoing = asyncio.create_task(site.undo(2))
        await asyncio.sleep(0)
        keeper.accepting.release()
        await forgetting
        with pytest.raises(NotFound):
            await undoing
        assert numbers(site) == []
        assert site.living() == []
        await site.end()

    run(story())


def test_a_plan_removes_no_folder_with_somebodys_files(site):
    async def story():
        await site.begin()
        folder = site.home / "projects" / "shop"
        (folder / "shared").mkdir(parents=True)  # as it is when the database was lost
        await site.engine.plan(AskPlan(shop()))  # nobody has looked what is there
        assert folder.exists()
        built = shop(web(build=Build("/srv/shop")))
        site.machine.belongings = ("shared db.sqlite3",)
        await site.engine.plan(AskPlan(built))
        assert folder.exists()
        site.machine.belongings = ()
        await site.engine.plan(AskPlan(built))
        assert not folder.exists()
        await site.end()

    run(story())


def test_what_a_killed_daemon_had_put_aside_is_removed_by_the_next(site):
    async def story():
        (site.home / ".forgotten-abc" / "shop" / "logs").mkdir(parents=True)
        (site.home / ".backup-def").mkdir()
        await site.begin()
        assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []
        await site.end()

    run(story())


def test_a_folder_is_out_of_the_way_before_its_project_is_forgotten_and_comes_back_if_it_is_not(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.down())
        folder = site.home / "projects" / "shop"
        (folder / "releases").mkdir(parents=True)
        there = []

        def fails(project):
            there.append(folder.exists())
            raise StoreTrouble("cannot write to the database: the disk is full")

        site.engine.store.forget = fails
        with pytest.raises(StoreTrouble):
            await site.engine.forget("shop")
        assert there == [False]
        assert (folder / "releases").is_dir()
        assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []
        del site.engine.store.forget
        await site.engine.forget("shop")
        assert not folder.exists()
        await site.end()

    asyncio.run(story())


def test_forgetting_names_what_was_removed_outside(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        site.machine.left_outside = ["removed volume abc (web: /data)"]
        await site.ended(await site.down())
        await site.end()
        await site.begin()  # a daemon that has not opened the runtime yet
        assert await site.engine.forget("shop") == ("removed volume abc (web: /data)",)
        await site.end()

    run(story())


def test_forgetting_needs_no_engine(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.down())

        async def fails():
            raise RuntimeTrouble("cannot reach the Docker engine")

        site.engine.keeper("shop").world.runtimes["process"].forget = fails
        [line] = await site.engine.forget("shop")
        assert "cannot reach the Docker engine" in line
        assert site.engine.projects() == ()
        await site.end()

    run(story())
