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


def greeting(url):
    with Flags(url, cache=False, wait=-1) as flags:
        flags.start(0)
        while not flags.keeper.fresh.wait(0.01):
            if flags.keeper.refused.is_set():
                return "refused"
        return flags.string("greeting", "no flag")
