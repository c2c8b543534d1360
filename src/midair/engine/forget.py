"""Forgets a project for good: its history, releases and logs. Also what a plan left of a project that never came."""

import asyncio
import logging
import shutil
import tempfile
from pathlib import Path

from midair.engine.keeper import Keeper
from midair.errors import Conflict
from midair.store.backup import DRAFT

log = logging.getLogger(__name__)
ASIDE = ".forgotten-"
LOOK_S = 0.02
LAST_S = 10.0  # for the last bookkeeping of a project that has just ended


async def await_end(keeper: Keeper) -> None:
    """Return when nothing of the project runs any more. Raises Conflict while something is to run."""
    state = keeper.state
    try:
        async with asyncio.timeout(LAST_S):
            while not state.is_empty:
                if state.under_way is not None or (state.base is not None and state.base.project.services):
                    break
                keeper.nudge()
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        pass
    if not state.is_empty:
        running = ", ".join(sorted(state.rollouts)) or f"change {keeper.state.change.id if keeper.state.change else 0}"
        raise Conflict(
            f'cannot forget project "{keeper.project}": {running} not stopped yet',
            hint="run midair down, or midair down --forget for both",
        )


def put_aside(home: Path, project: str) -> Path | None:
    """Take the folder of a project out of the way, at once. Returns what is to be removed."""
    folder = home / "projects" / project
    if not folder.is_dir():
        return None
    aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=home))
    folder.rename(aside / project)
    return aside


async def remove(aside: Path | None) -> None:
    """Remove it for good, which may take long."""
    if aside is not None:
        await asyncio.to_thread(shutil.rmtree, aside, ignore_errors=True)
        if aside.exists():
            log.warning('cannot remove "%s": somebody else owns a part of it', aside)


async def sweep(home: Path) -> None:
    """Remove what a daemon that was killed had put aside, or not finished."""
    for prefix in (ASIDE, DRAFT):
        for aside in home.glob(f"{prefix}*"):
            await remove(aside)


async def remove_unused(home: Path, project: str) -> None:
    """Remove the folder that planning made for a project which never came, unless something is on record there."""
    folder = home / "projects" / project
    replicas = folder / "replicas"
    runs = (folder / "router.sock").exists() or (replicas.is_dir() and any(replicas.iterdir()))
    if folder.is_dir() and not runs:
        await remove(put_aside(home, project))
