"""Backup and restore of the whole state, while everything goes on."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

from midair.engine.keeper import Keeper
from midair.errors import Conflict, UsageRefused
from midair.model.project import Applied
from midair.store import Store
from midair.store import backup as files
from midair.view.daemon import BackupView


async def write(home: Path, store: Store, keepers: Mapping[str, Keeper], target: Path) -> BackupView:
    """Write the database and all releases into one file. Nothing is built or forgotten meanwhile."""
    if not target.is_absolute() or os.path.isdir(target) or "\0" in str(target):
        raise UsageRefused(f'cannot write the backup "{target}": should be an absolute path of a file')
    async with AsyncExitStack() as held:
        await _hold(held, keepers)
        with files.draft_folder(home) as folder:
            files.copy_database(store, folder)
            names = tuple(store.projects.shown(name) for name in store.projects.names())
            size = await asyncio.to_thread(files.pack, home, folder, target)
    return BackupView(str(target), size, names)


async def read(
    home: Path, store: Store, keepers: Mapping[str, Keeper], source: Path,
    restore: Callable[[str, Applied | None], Awaitable[None]], is_wanted: Callable[[], Awaitable[bool]],
) -> BackupView:  # fmt: skip
    """Take in a backup. A project that is known here gets a change back to the state in the backup, which can be
    undone; one that is not gets its whole history. Nothing is built or forgotten meanwhile."""
    if not source.is_absolute() or not os.path.isfile(source):
        raise UsageRefused(f'cannot read the backup "{source}": there is no such file')
    with files.draft_folder(home) as folder:
        await asyncio.to_thread(files.unpack, source, folder)
        async with AsyncExitStack() as held:
            await _hold(held, keepers)
            if not await is_wanted():
                raise Conflict("cannot go on: the caller hung up")
            known = set(store.projects.names())
            completed = files.completed(folder)
            new = sorted(completed.keys() - known)
            _check_names(store, files.shown(folder), new)
            await asyncio.to_thread(files.move_releases, folder, home)
            files.take_in(store, folder, new)
            for project, applied in sorted(completed.items()):
                await restore(project, applied)
    names = sorted(store.projects.shown(project) for project in completed)
    return BackupView(str(source), source.stat().st_size, tuple(names))


def _check_names(store: Store, shown: Mapping[str, str], new: Iterable[str]) -> None:
    """Raise Conflict when a project that comes in has a name of one that is here."""
    here = {key: store.projects.shown(key) for key in store.projects.names()}
    taken = here | {name: name for name in here.values()}
    for project in new:
        for name in (project, shown[project]):
            if name in taken:
                raise Conflict(
                    f'cannot restore project "{shown[project]}": project "{taken[name]}" here has the name "{name}"',
                    hint="restore it in another MIDAIR_HOME",
                )


async def _hold(held: AsyncExitStack, keepers: Mapping[str, Keeper]) -> None:
    """Let nothing be accepted or forgotten. One may go while another one is waited for."""
    for _, keeper in sorted(keepers.items()):
        await held.enter_async_context(keeper.accepting)
