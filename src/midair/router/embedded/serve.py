"""Runs a router process from its start, alone or in the place of another one, to its end."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from midair.router.embedded.handover import take_over
from midair.router.embedded.held import Heritage
from midair.router.embedded.limits import Limits
from midair.router.embedded.process import RouterProcess

_FOLDER_LOOK_S = 2.0


async def look_after_folder(router: RouterProcess) -> None:
    """Go on with what others left in it, and end with it: nobody could ever reach a router whose folder was deleted."""
    while router.folder.exists():  # nobody tells when a folder is deleted
        with contextlib.suppress(OSError):
            router.absorb_orphans()
            router.save_again()
        await asyncio.sleep(_FOLDER_LOOK_S)
    router.ended.set()


async def serve(folder: Path, limits: Limits, lock: int | None, ready: int | None, heritage: Heritage) -> None:
    """Run until told to stop. Without the folder's lock, take over from the router that has it."""
    router = RouterProcess(folder, limits, -1 if lock is None else lock)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: router.hub.run(router.stop(forget=False)))
    if lock is None:
        router.lock = await take_over(router)
    else:
        await router.restore(heritage)
    router.open_admin()
    if router.predecessor is not None:
        await router.predecessor.retire()
    if ready is not None:
        with contextlib.suppress(OSError):  # who started it may be gone; the ports are its own by now
            os.write(ready, b"ready\n")
        os.close(ready)
    router.hub.run(look_after_folder(router))
    await router.ended.wait()
    os._exit(0)  # all that matters is in files; closing the loop could wait for connections that never end
