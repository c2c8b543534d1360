"""What a router writes down, so that the next one can go on, and when it cannot."""

import asyncio
from contextlib import contextmanager

import pytest
from tests.router.place import eventually, looped, placed

from midair.router.embedded import serve, state
from midair.router.embedded.held import Heritage
from midair.router.embedded.state import read_state


@contextmanager
def no_room(folder):
    """Nothing can be written, as on a full disk."""
    (folder / "router.json.new").mkdir()
    yield
    (folder / "router.json.new").rmdir()


def saved(place):
    """The generation on file."""
    return read_state(place.router.folder).services[0].generation


@looped
async def test_routes_that_could_not_be_written_down_are_when_they_are_asked_for_again():
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        with no_room(place.router.folder), pytest.raises(OSError):
            await place.route(backend)
        assert (place.service.seen().settled, saved(place)) == (2, 1)
        place.generation = 1
        await place.route(backend)
        assert saved(place) == 2


@looped
async def test_or_when_there_is_room_again(monkeypatch):
    monkeypatch.setattr(serve, "_FOLDER_LOOK_S", 0.01)
    async with placed() as place:
        backend = await place.backend()
        await place.route(backend)
        with no_room(place.router.folder):
            looking = asyncio.create_task(serve.look_after_folder(place.router))
            with pytest.raises(OSError):
                await place.route(backend)
            await asyncio.sleep(0.03)
        await eventually(lambda: saved(place) == 2)
        looking.cancel()


@looped
async def test_a_router_that_was_told_to_stop_writes_nothing_more(monkeypatch):
    monkeypatch.setattr(serve, "_FOLDER_LOOK_S", 0.01)
    async with placed() as place:
        await place.route(await place.backend())
        await place.router.stop(forget=True)
        looking = asyncio.create_task(serve.look_after_folder(place.router))
        await asyncio.sleep(0.03)
        assert read_state(place.router.folder).services == ()
        looking.cancel()


@pytest.mark.parametrize("rebooted", [True, False])
@looped
async def test_router_that_ended_with_the_machine_says_so(monkeypatch, tmp_path, rebooted):
    async with placed() as place:
        await place.route(await place.backend())
        if rebooted:
            monkeypatch.setattr(state, "BOOT", tmp_path / "boot_id")
            state.BOOT.write_text("0123\n")
        await place.router.restore(Heritage())
        assert [death.rebooted for death in place.router.deaths] == [rebooted]


def test_router_state_of_an_older_version_knows_no_boot(tmp_path):
    (tmp_path / "router.json").write_text('{"services": [], "deaths": [{"back_at": 1.0, "lost": 2}]}')
    before = read_state(tmp_path)
    assert (before.boot, before.deaths[0].rebooted) == ("", False)
