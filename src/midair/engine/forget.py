"""Forgets a project for good: its history, releases and logs. Also what a plan left of a project that never came."""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midair.engine.keeper import Keeper
from midair.errors import Conflict, MidairError, RuntimeTrouble
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
            f'cannot forget project "{keeper.name}": {running} not stopped yet',
            hint="run midair down, or midair down --forget for both",
        )


def check_unused(keeper: Keeper) -> None:
    """Raise Conflict when somebody plans or changes the project meanwhile."""
    if keeper.guests or not keeper.state.is_empty:
        raise Conflict(f'cannot forget project "{keeper.name}": it is about to be changed', hint="try it again")


async def outside(keeper: Keeper) -> tuple[str, ...]:
    """Delete what the runtimes of a project left outside its folder. Returns a line for each thing, for people."""
    lines: list[str] = []
    names = {revision.service.runtime for revision in keeper.store.revisions.all(keeper.project)}
    for name in sorted(names):
        try:
            lines += await (await keeper.world.runtime(name)).forget()
        except RuntimeTrouble as error:  # an engine that was uninstalled must not keep a project on record
            lines.append(f"left images, volumes and networks where they are: {error.message}")
    return tuple(lines)


async def has_belongings(keeper: Keeper) -> bool:
    """Whether users or services of a project may have written anything that is in the project's folder."""
    if not keeper.world.runtimes:
        return True  # nobody has looked, and nothing was made
    try:
        found = [await runtime.belongings() for runtime in keeper.world.runtimes.values()]
    except MidairError as error:
        log.warning("%s", error.message)
        return True
    return any(found)


def put_aside(home: Path, project: str) -> Path | None:
    """Take the folder of a project out of the way, at once. Returns what is to be removed."""
    folder = home / "projects" / project
    if not folder.is_dir():
        return None
    away = Path(tempfile.mkdtemp(prefix=ASIDE, dir=home))
    folder.rename(away / project)
    return away


@contextmanager
def aside(home: Path, project: str) -> Iterator[Path | None]:
    """The folder of a project is out of the way before it is forgotten: whoever is killed in between leaves a project
    that can be forgotten again, and no folder that nobody knows of. It comes back when the project stays."""
    away = put_aside(home, project)
    try:
        yield away
    except BaseException:
        if away is not None:
            (away / project).rename(home / "projects" / project)
            away.rmdir()
        raise


async def remove(away: Path | None) -> None:
    """Remove it for good, which may take long."""
    if away is not None:
        await asyncio.to_thread(shutil.rmtree, away, ignore_errors=True)
        if away.exists():
            log.warning('cannot remove "%s": somebody else owns a part of it', away)


async def sweep(home: Path) -> None:
    """Remove what a daemon that was killed had put aside, or not finished."""
    for prefix in (ASIDE, DRAFT):
        for away in home.glob(f"{prefix}*"):
            await remove(away)


async def remove_unused(home: Path, project: str) -> None:
    """Remove the folder that planning made for a project which never came, unless something is on record there."""
    folder = home / "projects" / project
    replicas = folder / "replicas"
    runs = (folder / "router.sock").exists() or (replicas.is_dir() and any(replicas.iterdir()))
    if folder.is_dir() and not runs:
        await remove(put_aside(home, project))
