"""A project is called otherwise while it runs, and nothing of it is touched."""

import asyncio

import pytest
from msgspec.structs import replace

from midair.daemon.flags import FlagService
from midair.engine import show
from midair.errors import Conflict, NotFound, NothingToDo, UsageRefused
from midair.model.event import ProjectRenamed
from midair.model.project import Port
from midair.view.ask import AskDown, AskPlan, AskRename, AskUp

from .conftest import Site, shop, web


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


async def renamed(site, name="store"):
    """A project that runs, under another name."""
    await site.begin()
    await site.ended(await site.up(shop()))
    return site.engine.rename("shop", AskRename(name, "ann"))


def test_rename_keeps_replicas_history_and_counts(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        before, history = site.living(), show.history(site.engine.keeper("shop"))
        summary = site.engine.rename("shop", AskRename("store", "ann"))
        assert (summary.name, summary.key, site.engine.key("store")) == ("store", "shop", "shop")
        plan = await site.engine.plan(AskPlan(shop()))
        assert (plan.project, plan.is_empty) == ("store", True)
        assert site.living() == before
        keeper = site.engine.keeper(site.engine.key("store"))
        assert [change.id for change in show.history(keeper)] == [change.id for change in history]
        assert {change.project for change in show.history(keeper)} == {"store"}
        assert ((await show.project(keeper)).name, (await show.counts(keeper)).project) == ("store", "store")
        assert site.engine.store.events.after(0)[-1].event == ProjectRenamed("shop", "store", "ann")
        await site.end()

    asyncio.run(story())


def test_rename_survives_the_daemon(site):
    async def story():
        await renamed(site)
        await site.end()
        engine = await site.begin()
        assert (engine.key("store"), engine.projects()[0].name) == ("shop", "store")
        await site.end()

    asyncio.run(story())


def test_rename_while_a_change_is_under_way_disturbs_nothing(site):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        change = await site.up(shop(web("blue")))
        site.engine.rename("shop", AskRename("store"))
        assert (await site.ended(change)).phase == "completed"
        assert show.history(site.engine.keeper("shop"))[0].project == "store"
        await site.end()

    asyncio.run(story())


def test_names_of_other_projects_are_refused(site):
    async def story():
        await renamed(site)
        elsewhere = replace(web(), ports=(Port(8001, 8000),))
        other = replace(shop(elsewhere), name="blog", folder="/srv/blog")
        plan = await site.engine.plan(AskPlan(other))
        await site.engine.up(AskUp(other, plan.digest), site.lines.append)
        for name in ("shop", "store"):
            with pytest.raises(Conflict, match=f'cannot rename project "blog" to "{name}"'):
                site.engine.rename("blog", AskRename(name))
        with pytest.raises(UsageRefused, match="a name has at most 63"):
            site.engine.rename("blog", AskRename("Blog!"))
        with pytest.raises(NotFound):
            site.engine.rename("nothing", AskRename("something"))
        with pytest.raises(NothingToDo):
            site.engine.rename("shop", AskRename("store"))
        assert site.engine.rename("shop", AskRename("shop")).name == "shop"
        await site.end()

    asyncio.run(story())


def test_the_old_name_begins_no_new_project(site):
    async def story():
        await renamed(site)
        with pytest.raises(Conflict, match='project "store" had this name') as refused:
            site.engine.refuse_old_name("shop")
        assert refused.value.hint.startswith("write `name: store` in the file or add -p store")
        site.engine.refuse_old_name("store")
        await site.end()

    asyncio.run(story())


def test_a_forgotten_project_frees_both_names(site):
    async def story():
        await renamed(site)
        await site.ended(await site.engine.down("shop", AskDown(), site.lines.append))
        await site.engine.forget("shop")
        site.engine.refuse_old_name("shop")
        assert site.engine.key("store") == "store"
        change = await site.up(shop())
        await site.ended(change)
        assert site.engine.projects()[0].name == "shop"
        await site.end()

    asyncio.run(story())


def test_a_backup_brings_the_name_along(site, tmp_path):
    async def story():
        await renamed(site)
        made = await site.engine.backup(str(tmp_path / "state.backup"))
        assert made.projects == ("store",)
        await site.end()
        other = Site(tmp_path / "other")
        other.home.mkdir()
        await other.begin()
        restored = await other.engine.restore(str(tmp_path / "state.backup"))
        assert (restored.projects, other.engine.key("store")) == (("store",), "shop")
        await other.end()
        third = Site(tmp_path / "third")
        third.home.mkdir()
        await third.begin()
        taken = replace(shop(), name="store")
        plan = await third.engine.plan(AskPlan(taken))
        await third.engine.up(AskUp(taken, plan.digest), third.lines.append)
        with pytest.raises(Conflict, match='project "store" here has the name "store"'):
            await third.engine.restore(str(tmp_path / "state.backup"))
        await third.end()

    asyncio.run(story())


def test_flag_clients_that_name_the_old_set_are_served(tmp_path):
    async def story():
        (tmp_path / "tokens").write_text("s3cret shop\nn3w store\n")
        flags = FlagService(tmp_path, {"flags.tokens": str(tmp_path / "tokens")})
        flags.tell("shop", {"flags": {"new-search": {"state": "ENABLED", "variants": {"on": True}}}})
        flags.rename("shop", "store")
        access = flags._access
        assert flags.hub.find("store") is flags.hub.find("flagSetId=shop")
        assert (access.opened("s3cret"), access.opened("n3w")) == ("shop", "shop")
        flags.rename("shop", "shop")
        assert access.opened("n3w") == "store"
        await flags.close()

    asyncio.run(story())
