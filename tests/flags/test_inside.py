"""Each project has a door to its own flags, for its containers: whoever comes in there sees nothing else."""

import asyncio
import shutil
import stat

from midair.daemon.flags import FlagService
from midair.openfeature import Flags

GREETING = {"state": "ENABLED", "variants": {"hello": "hello", "bye": "good bye"}, "defaultVariant": "hello"}


def test_a_door_leads_to_the_flags_of_one_project_alone(tmp_path):
    asyncio.run(one_project_alone(tmp_path))


async def one_project_alone(home):
    service = FlagService(home)
    await service.open()
    try:
        for name in ("shop", "bakery"):
            service.tell(name, {"flags": {"greeting": GREETING}})
        door = home / "projects" / "shop" / "inside" / "flags.sock"
        assert stat.S_IMODE(door.stat().st_mode) == 0o666, "containers run as any user"
        assert stat.S_IMODE(door.parent.parent.stat().st_mode) == 0o700, "nobody else gets there"
        assert await asyncio.to_thread(greeting, f"unix:{door}#shop") == "hello"
        assert await asyncio.to_thread(greeting, f"unix:{door}#bakery") == "refused"
        assert await asyncio.to_thread(greeting, f"unix:{home}/flags.sock#bakery") == "hello"
        shutil.rmtree(home / "projects" / "shop")  # forgotten, and started anew
        service.tell("shop", {"flags": {"greeting": GREETING}})
        assert await asyncio.to_thread(greeting, f"unix:{door}#shop") == "hello"
    finally:
        await service.close()


def test_forgotten_project_leaves_no_socket_and_no_server(tmp_path):
    asyncio.run(forgotten(tmp_path))


async def forgotten(home):
    service = FlagService(home)
    await service.open()
    try:
        for name in ("shop", "bakery"):
            service.tell(name, {"flags": {"greeting": GREETING}})
        shutil.rmtree(home / "projects" / "shop")
        before = set(service._servers.values())
        service.tell("shop", None)
        ended, _ = await asyncio.wait(before, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert len(ended) == 1
        assert list(service.hub.sets) == ["bakery"]
        assert service.hub.find("").name == "bakery"
        assert [path.name for path in (home / "projects").iterdir()] == ["bakery"]
    finally:
        await service.close()


def test_socket_of_a_project_serves_it_without_its_name(tmp_path):
    asyncio.run(without_name(tmp_path))


async def without_name(home):
    service = FlagService(home)
    await service.open()
    try:
        for name in ("shop", "bakery"):
            service.tell(name, {"flags": {"greeting": GREETING}})
        door = home / "projects" / "shop" / "inside" / "flags.sock"
        assert await asyncio.to_thread(greeting, f"unix:{door}") == "hello"
    finally:
        await service.close()


def greeting(url):
    with Flags(url, cache=False, wait=-1) as flags:
        flags.start(0)
        while not flags.keeper.fresh.wait(0.01):
            if flags.keeper.refused.is_set():
                return "refused"
        return flags.string("greeting", "no flag")
