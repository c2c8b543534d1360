"""What runs without being on record, since the database was lost, is not stopped by whoever comes by."""

import asyncio

import pytest

from midair.engine.forget import remove_unused
from midair.errors import BuildTrouble
from midair.model.project import Build

from .conftest import shop, web


async def lost(site):
    """A project that runs, and a daemon whose database is gone."""
    await site.begin()
    await site.ended(await site.up(shop()))
    await site.end()
    for path in site.home.glob("midair.db*"):
        path.unlink()
    await site.begin()


def test_an_up_that_fails_leaves_the_router_that_serves(site):
    async def story():
        await lost(site)
        site.machine.build_trouble["web"] = "no compiler"
        with pytest.raises(BuildTrouble):
            await site.up(shop(web("blue", build=Build("/srv/shop"))))
        assert site.gate.running
        assert site.gate.settled["web"].routes
        await site.end()

    asyncio.run(story())


def test_an_up_that_fails_ends_the_router_that_it_started(site):
    async def story():
        await site.begin()
        site.machine.build_trouble["web"] = "no compiler"
        with pytest.raises(BuildTrouble):
            await site.up(shop(web(build=Build("/srv/shop"))))
        assert not site.gate.running
        await site.end()

    asyncio.run(story())


def test_the_folder_of_a_router_that_runs_is_not_removed(tmp_path):
    folder = tmp_path / "projects" / "shop"
    folder.mkdir(parents=True)
    (folder / "router.sock").touch()
    asyncio.run(remove_unused(tmp_path, "shop"))
    assert folder.is_dir()
    (folder / "router.sock").unlink()
    asyncio.run(remove_unused(tmp_path, "shop"))
    assert not folder.exists()
