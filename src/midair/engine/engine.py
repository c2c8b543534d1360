"""All projects of one daemon: who keeps them, and the doors through which something is asked of them."""

import asyncio
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from midair import __version__
from midair import plan as plans
from midair.change import undo_target
from midair.engine import accept, backup, forget, rename, restart, show
from midair.engine import flags as flag_changes
from midair.engine.bus import Bus
from midair.engine.clock import Clock
from midair.engine.keeper import Keeper, did_you_mean
from midair.engine.planned import Planned
from midair.engine.state import State
from midair.engine.taken_down import take_down
from midair.engine.world import World
from midair.errors import Conflict, NotFound, UsageRefused
from midair.model.change import Change, ChangeKind
from midair.model.ids import ChangeId
from midair.model.plan import Plan
from midair.model.project import Applied, Project
from midair.others import hint_of
from midair.router.base import Router
from midair.runtime.base import Runtime
from midair.store import Store
from midair.view.ask import AskDown, AskPlan, AskRename, AskScale, AskServiceRestart, AskUndo, AskUp
from midair.view.change import ChangeView
from midair.view.daemon import BackupView, Health
from midair.view.event import EventView
from midair.view.status import ProjectSummary

log = logging.getLogger(__name__)
REPLICAS_MOST = 10_000
_SERVICE = re.compile(r"[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,62}")


async def _always() -> bool:
    return True


class Engine:
    """Every project of one `MIDAIR_HOME`."""

    def __init__(
        self,
        home: Path,
        store: Store,
        clock: Clock,
        *,
        make_runtime: Callable[[str, str], Runtime],
        make_router: Callable[[str], Router],
        around: Callable[[str], None] = lambda step: None,
        tell_flags: flag_changes.Tell = lambda project, flags: None,
        tell_name: Callable[[str, str], None] = lambda project, name: None,
    ) -> None:
        self.home, self.store, self.clock = home, store, clock
        self.bus = Bus()
        self._make_runtime, self._make_router, self._around = make_runtime, make_router, around
        self._tell_name = tell_name
        self.flags = flag_changes.FlagChanges(self.keeper, lambda: tuple(self._keepers.values()), tell_flags)
        self._planned = Planned()
        self._keepers: dict[str, Keeper] = {}
        self._began = clock()

    async def open(self) -> None:
        """Adopt every project on record and go on with it."""
        await forget.sweep(self.home)
        for name in self.store.projects.names():
            self._add(name).open()
        self.flags.open()

    async def close(self) -> None:
        """Let go of all projects; they go on."""
        await self.flags.close()
        await asyncio.gather(*(keeper.close() for keeper in self._keepers.values()))
        self._keepers.clear()

    def key(self, name: str) -> str:
        """The name that a project had first, by which everything is asked of this engine."""
        return next((keeper.project for keeper in self._keepers.values() if keeper.name == name), name)

    def shown(self, project: str) -> str:
        """What people call a project."""
        keeper = self._keepers.get(project)
        return keeper.name if keeper is not None else project

    def refuse_old_name(self, name: str) -> None:
        """Raise Conflict for the earlier name of a project, by which no file may mean it, or begin another one."""
        rename.refuse_old_name(name, self._keepers.get(name))

    def keeper(self, project: str) -> Keeper:
        """Who keeps a project. Raises NotFound when it never had a change."""
        keeper = self._keepers.get(project)
        if keeper is None or keeper.state.change is None:
            known = ", ".join(one.name for one in self.projects())
            hint = "start it with midair up" + (f", or say which project with -p: {known}" if known else "")
            others = hint_of(project)
            hint = f"{others}; or {hint}" if others else hint
            raise NotFound(f'cannot find project "{project}": it was never started here', hint=hint)
        return keeper

    # Looking

    def health(self) -> Health:
        """Who answers, and whether the state can be stored."""
        problems = {keeper.problem for keeper in self._keepers.values() if keeper.problem}
        return Health(
            version=__version__,
            pid=os.getpid(),
            home=str(self.home),
            started_at=self._began,
            projects=len(self.projects()),
            problem="; ".join(sorted(problems)),
            python=sys.executable or "",
        )

    def projects(self) -> tuple[ProjectSummary, ...]:
        """All projects, by name."""
        known = sorted(self._keepers.items())
        return tuple(show.summary(keeper) for _, keeper in known if keeper.state.change is not None)

    async def await_accepted(self, within: float) -> None:
        """Return when nothing is being accepted, which a restart would end. Raises Conflict when it takes longer."""
        busy: list[Keeper] = []
        try:
            async with asyncio.timeout(within):
                while busy := [keeper for keeper in self._keepers.values() if keeper.accepting.locked()]:
                    async with busy[0].accepting:
                        pass
        except TimeoutError:
            raise Conflict(
                f'cannot restart the daemon: project "{busy[0].name}" is being built or saved just now',
                hint="wait until that has ended, or end it with Ctrl-C where it was begun",
            ) from None

    # Changing

    async def plan(self, ask: AskPlan) -> Plan:
        """What an `up` would do."""
        check_names(ask.project, ask.services)
        async with self._guest(ask.project.name) as keeper:
            plan, after = await accept.plan_up(keeper, ask, self._keepers.values(), ask.applies)
            self._planned.keep(keeper.project, plan.digest, after)
            return replace(plan, project=keeper.name)

    async def up(self, ask: AskUp, progress: accept.Progress) -> ChangeView:
        """Carry out a plan."""
        check_names(ask.project, ask.services)
        async with self._guest(ask.project.name) as keeper:
            told = self._telling(progress)
            others = self._keepers.values()
            releases = self._planned.of(keeper.project, ask.digest)
            change = await accept.up(keeper, ask, told, others, releases)
            return show.change(keeper, int(change.id))

    async def plan_undo(self, project: str, ask: AskUndo) -> Plan:
        """What an undo would do."""
        keeper = self.keeper(project)
        _, before = self._undone(keeper, ask)
        plan = await accept.with_written(keeper, accept.plan_between(keeper, "undo", before), before)
        return replace(plan, project=keeper.name)

    async def undo(self, project: str, ask: AskUndo, progress: accept.Progress) -> ChangeView:
        """Go to the state before a change."""
        keeper = self.keeper(project)
        return await self._change(keeper, "undo", lambda: self._undone(keeper, ask), ask, progress)

    async def plan_restart(self, project: str, ask: AskServiceRestart) -> Plan:
        """What a restart of services would do."""
        keeper = self.keeper(project)
        after = restart.base(keeper, ask)
        return accept.plan_between(keeper, "restart", after, restart.restarted(keeper, ask, after))

    async def restart(self, project: str, ask: AskServiceRestart, progress: accept.Progress) -> ChangeView:
        """Replace every replica of services by one of the same revision."""
        keeper = self.keeper(project)
        return await self._change(keeper, "restart", lambda: (None, restart.base(keeper, ask)), ask, progress)

    async def scale(self, project: str, ask: AskScale, progress: accept.Progress) -> ChangeView:
        """Change replica counts."""
        keeper = self.keeper(project)
        return await self._change(keeper, "scale", lambda: (None, _scaled(keeper, ask)), ask, progress)

    async def down(self, project: str, ask: AskDown, progress: accept.Progress) -> ChangeView:
        """Drain and stop everything."""
        keeper = self.keeper(project)

        def emptied() -> tuple[None, Applied]:
            base = keeper.state.base or keeper.state.completed
            return None, plans.emptied(base) if base else Applied(Project(project, {}), {})

        return await self._change(keeper, "down", emptied, ask, progress)

    def rename(self, project: str, ask: AskRename) -> ProjectSummary:
        """Call a project otherwise."""
        keeper = self.keeper(project)
        rename.rename(keeper, ask, self._keepers.values())
        self._tell_name(project, keeper.name)
        return show.summary(keeper)

    async def forget(self, project: str) -> tuple[str, ...]:
        """Remove everything on record about a project of which nothing runs. Returns a line for each volume, say."""
        keeper = self.keeper(project)
        async with keeper.accepting:
            await forget.await_end(keeper)
            forget.check_unused(keeper)
            removed = await forget.outside(keeper)
            await keeper.world.end_router()
            # From here to the last line of the block nothing else runs: who comes later finds no such project.
            self._check_kept(keeper)
            forget.check_unused(keeper)
            with forget.aside(self.home, project) as aside:
                self.store.forget(project)
            del self._keepers[project]
            self.flags.forget(project)
        await asyncio.shield(_end(keeper, aside))
        return removed

    async def backup(self, path: str) -> BackupView:
        """Write the whole state into a file."""
        return await backup.write(self.home, self.store, self._keepers, Path(path))

    async def restore(self, path: str, is_wanted: Callable[[], Awaitable[bool]] = _always) -> BackupView:
        """Put the state of a backup in place, if that is wanted still when nothing else is being accepted."""
        return await backup.read(self.home, self.store, self._keepers, Path(path), self._restore_project, is_wanted)

    # How

    async def _change(
        self, keeper: Keeper, kind: ChangeKind, make: Callable[[], tuple[ChangeId | None, Applied]],
        ask: AskUndo | AskServiceRestart | AskScale | AskDown, progress: accept.Progress,
    ) -> ChangeView:  # fmt: skip
        """Accept a change to the state that `make` says, made when no other one is being accepted.

        Without any difference there is none: the answer is the change that leads there, or has led there, already.
        """
        async with keeper.accepting:
            self._check_kept(keeper)
            return await self._change_now(keeper, kind, make, ask, self._telling(progress))

    async def _change_now(
        self, keeper: Keeper, kind: ChangeKind, make: Callable[[], tuple[ChangeId | None, Applied]],
        ask: AskUndo | AskServiceRestart | AskScale | AskDown, progress: accept.Progress,
    ) -> ChangeView:  # fmt: skip
        base = keeper.state.base
        undoes, after = make()
        restarts = restart.restarted(keeper, ask, after) if isinstance(ask, AskServiceRestart) else frozenset()
        plan = accept.plan_between(keeper, kind, after, restarts)
        latest = keeper.state.change
        if latest is not None and _is_there(keeper, plan, after):
            return show.change(keeper, int(latest.id))
        digest, confirmed = (
            (ask.digest, ask.confirmed) if isinstance(ask, AskUndo | AskServiceRestart) else (None, True)
        )
        if kind == "undo":
            plan = await accept.with_written(keeper, plan, after)
        accept.approve(plan, digest, confirmed)
        await accept.check(keeper, plan, after, self._keepers.values())
        await accept.fetch(keeper, kind, plan, after, progress)
        change = await accept.store(keeper, kind, base, plan, after, ask, undoes)
        return show.change(keeper, int(change.id))

    def _undone(self, keeper: Keeper, ask: AskUndo) -> tuple[ChangeId, Applied]:
        def state_before(target: Change) -> Applied:
            assert target.before is not None, "undo_target sees to that"
            base = keeper.state.base
            if target.kind == "flag" and ask.change is None and base is not None:
                return flag_changes.without(base, target)  # whatever became of code since then
            return flag_changes.calmed(target.before)

        def makes_no_difference(target: Change) -> bool:
            after = state_before(target)
            return _is_there(keeper, accept.plan_between(keeper, "undo", after), after)

        target = undo_target(self.store.changes.all(keeper.project), ask.change, makes_no_difference)
        return target.id, state_before(target)

    def _check_kept(self, keeper: Keeper) -> None:
        """Raise NotFound when the project was forgotten while its caller waited for it."""
        if self._keepers.get(keeper.project) is not keeper:
            self.keeper(keeper.project)
            raise Conflict(f'cannot go on: project "{keeper.name}" was forgotten meanwhile', hint="try it again")

    async def _restore_project(self, project: str, completed: Applied | None) -> None:
        """A project whose state was taken in: kept from now on; or, when it was kept already, brought back to it."""
        if project not in self._keepers:
            self._add(project).open()
            return
        keeper = self._keepers[project]
        if completed is not None:
            ask = AskUndo(confirmed=True, by="restore")
            await self._change_now(keeper, "restore", lambda: (None, completed), ask, lambda line: None)

    def _add(self, project: str) -> Keeper:
        def make_world(nudge: Callable[[], None]) -> World:
            return World(
                lambda name: self._make_runtime(name, project), lambda: self._make_router(project), self.clock, nudge
            )

        state = State(self.store, self.bus, project, self.flags.told)
        keeper = Keeper(self.store, state, self.clock, make_world, self._around)
        keeper.take_down = take_down
        self._keepers[project] = keeper
        self._tell_name(project, keeper.name)
        return keeper

    @asynccontextmanager
    async def _guest(self, project: str) -> AsyncIterator[Keeper]:
        """A project that may be new: it is kept only if it comes to a change."""
        keeper = self._keepers.get(project)
        if keeper is None:
            keeper = self._add(project)
            keeper.open()
        keeper.guests += 1
        try:
            yield keeper
        finally:
            keeper.guests -= 1
            if keeper.state.change is None and not keeper.guests and self._keepers.get(project) is keeper:
                del self._keepers[project]
                await keeper.world.stop_router()
                is_empty = not await forget.has_belongings(keeper)
                await keeper.close()
                if project not in self._keepers and is_empty:
                    await forget.remove_unused(self.home, project)

    def _telling(self, progress: accept.Progress) -> accept.Progress:
        def tell(line: EventView) -> None:
            progress(replace(line, project=self.shown(line.project)))
            self.bus.tell(line)

        return tell


async def _end(keeper: Keeper, aside: Path | None) -> None:
    """Let go of a project that is forgotten, and of its files."""
    await keeper.close()
    await forget.remove(aside)


def _is_there(keeper: Keeper, plan: Plan, after: Applied) -> bool:
    """Nothing would become different. What is stuck is tried again all the same."""
    state = keeper.state
    is_stuck = state.change is not None and (state.change.phase == "stuck" or bool(state.change.waits_for))
    overrides = state.base.overrides if state.base is not None else ()
    return plan.is_empty and not plan.refusals and after.overrides == overrides and not is_stuck


def _scaled(keeper: Keeper, ask: AskScale) -> Applied:
    """What was asked for last, with other replica counts."""
    after = keeper.state.base
    for service, replicas in ask.replicas.items():
        if after is None or service not in after.project.services:
            raise NotFound(
                f'cannot scale "{service}": project "{keeper.name}" has no such service now',
                hint=did_you_mean(service, after.project.services if after is not None else ()),
            )
        if not 0 <= replicas <= REPLICAS_MOST:
            raise UsageRefused(f'cannot scale "{service}": should be 0 to {REPLICAS_MOST} replicas, got "{replicas}"')
        after = plans.scaled(after, service, replicas)
    if after is None or not ask.replicas:
        raise UsageRefused("cannot scale: no service was named")
    return after


def check_names(project: Project, chosen: tuple[str, ...] = ()) -> None:
    """Refuse names that could not be names of folders, and choices that are not there."""
    for name in chosen:
        if name not in project.services:
            known = did_you_mean(name, project.services)
            raise NotFound(
                f'cannot use service "{name}": the file has no such service, or not with these profiles', hint=known
            )
    if not rename.NAME.fullmatch(project.name):
        raise UsageRefused(
            f'cannot use project "{project.name}": should be lower-case letters, digits, "-" and "_", '
            "beginning with a letter or digit"
        )
    for name, service in project.services.items():
        if name != service.name or not _SERVICE.fullmatch(name):
            raise UsageRefused(f'cannot use service "{name}": should be at most 63 letters, digits, "-", "_" and "."')
