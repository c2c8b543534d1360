"""What is not there, or belongs to another project, is refused with what there is."""

import asyncio
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from midair.engine.accept import owners
from midair.errors import NotFound, PlanRefused
from midair.model.project import Port
from midair.view.ask import AskPlan, AskUp

from .conftest import shop, web


def run(story):
    """Run a test's story in a loop of its own."""
    return asyncio.run(story)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.2"])
def test_a_port_that_another_project_has_is_told_with_its_name_and_folder(site, host):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        moved = replace(shop(replace(web(), ports=(Port(8000, 8000, host),))), name="moved", folder="/srv/moved")
        site.gate.taken[8000] = "address already in use"
        with pytest.raises(PlanRefused) as refused:
            await site.up(moved)
        where = f"{host}:8000" if host else "8000"
        assert refused.value.message == (
            f'cannot listen on port "{where}": project "shop" of the folder "/srv/shop" has it'
        )
        assert refused.value.hint.startswith("add -p shop if ")
        del site.gate.taken[8000]
        elsewhere = replace(moved, services={"web": replace(moved.services["web"], ports=(Port(8001, 8000, host),))})
        assert await site.up(elsewhere)
        await site.end()

    run(story())


def test_a_changed_name_in_the_same_folder_begins_no_second_project(site):
    async def story():
        await site.begin()
        file = {"files": ("/srv/shop/compose.yaml",), "folder_id": "1:2:3"}
        await site.ended(await site.up(replace(shop(), **file, named="folder")))
        renamed = replace(shop(replace(web(), ports=())), **file, name="store", named="file")
        plan = await site.engine.plan(AskPlan(renamed))
        assert "this folder is project shop until now" in plan.refusals[0]
        assert "`midair rename shop store`" in plan.refusals[0]
        assert "write `name: shop`" in plan.refusals[0]
        moved = await site.engine.plan(AskPlan(replace(renamed, folder="/srv/new", files=("/srv/new/compose.yaml",))))
        assert moved.refusals == plan.refusals
        others = (
            replace(renamed, named="asked"),
            replace(renamed, files=("/srv/shop/metrics.yaml",)),
            replace(renamed, folder="/srv/copy", folder_id="1:4:5", files=("/srv/copy/compose.yaml",)),
        )
        for other in others:
            assert (await site.engine.plan(AskPlan(other))).refusals == ()
        await site.end()

    run(story())


def test_ports_of_other_addresses_do_not_clash():
    def keeper(host):
        rollout = SimpleNamespace(policy=SimpleNamespace(ports=(Port(8000, 8000, host),)))
        return SimpleNamespace(state=SimpleNamespace(rollouts={"web": rollout}))

    port = Port(8000, 8000, "127.0.0.1")
    assert owners([port], [keeper("127.0.0.2")]) == {}
    assert list(owners([port], [keeper("127.0.0.1")])) == [port]
    assert list(owners([port], [keeper("::")])) == [port]


def test_a_project_that_is_not_there_is_told_beside_those_that_are(site):
    async def story():
        await site.begin()
        with pytest.raises(NotFound) as refused:
            site.engine.keeper("shp")
        assert refused.value.hint == "start it with midair up"
        await site.ended(await site.up(shop()))
        with pytest.raises(NotFound) as refused:
            site.engine.keeper("shp")
        assert refused.value.hint == "start it with midair up, or say which project with -p: shop"
        await site.end()

    run(story())


def test_a_chosen_service_has_to_be_there(site):
    async def story():
        await site.begin()
        with pytest.raises(NotFound, match='cannot use service "wbe": the file has no such service') as refused:
            await site.engine.plan(AskPlan(shop(), ("wbe",)))
        assert refused.value.hint == 'use "web"'
        with pytest.raises(NotFound):
            await site.engine.up(AskUp(shop(), "", services=("wbe",)), site.lines.append)
        await site.end()

    run(story())
