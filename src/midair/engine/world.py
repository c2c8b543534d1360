"""The shells of one project: its runtimes and its router. Opened when they are needed, asked together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Set

from midair.engine.observe import Sight, observe
from midair.errors import Conflict, MidairError, RouterTrouble, RuntimeTrouble
from midair.model.action import Action, MakeFront, ReachReplicas, RemoveFront, SetRoutes, StartReplica
from midair.model.counters import Record
from midair.model.moment import Moment
from midair.model.project import Port, Project, Revision
from midair.router.base import Router
from midair.runtime.base import Runtime

log = logging.getLogger(__name__)
OPEN_AGAIN_S = 1.0  # after a runtime or the router could not be opened

MakeRuntime = Callable[[str], Runtime]
MakeRouter = Callable[[], Router]


class World:
    """What observes and performs for one project."""

    def __init__(
        self,
        make_runtime: MakeRuntime,
        make_router: MakeRouter,
        clock: Callable[[], Moment],
        nudge: Callable[[], None],
    ) -> None:
        self._make_runtime, self._make_router = make_runtime, make_router
        self._clock, self._nudge = clock, nudge
        self.runtimes: dict[str, Runtime] = {}
        self.router: Router | None = None
        self.problems: dict[str, str] = {}  # what could not be opened, and why
        self._again_at: dict[str, Moment] = {}
        self._moving = asyncio.Lock()  # held while something is opened or ended: none is opened twice
        self._in_force: Project | None = None
        self._owners: dict[str, str] = {}  # replica -> runtime, as seen last
        self._adapted: dict[tuple[str, str], Revision] = {}  # by service and id: to which settings

    async def open(self, runtimes: frozenset[str], *, router: bool) -> None:
        """Open what is needed and is not open yet. What cannot be opened is tried again after a while."""
        for name in sorted(runtimes - self.runtimes.keys()):
            if self._may_try(name):
                await self._try(name, self._open_runtime(name))
        if router and self.router is None and self._may_try("router"):
            await self._try("router", self._open_router())

    def in_force(self, project: Project) -> None:
        """Say what the project is to be now, also to a runtime that is opened later."""
        self._in_force = project
        for runtime in self.runtimes.values():
            runtime.in_force(project)

    async def adapt(self, revisions: Iterable[Revision]) -> None:
        """Let replicas take the settings that may differ while their revision stays. Again only when they differ."""
        for revision in revisions:
            key, name = (revision.service.name, str(revision.id)), revision.service.runtime
            if self._adapted.get(key) is revision or name not in self.runtimes or not self._may_try("adapt"):
                continue
            await self._try("adapt", self.runtimes[name].adapt(revision))
            if "adapt" not in self.problems:
                self._adapted[key] = revision

    def keep_revisions(self, used: Set[tuple[str, str]]) -> None:
        """Drop what is known of the others, by service and id: no replica is made from them again."""
        self._adapted = {key: revision for key, revision in self._adapted.items() if key in used}

    async def close(self) -> None:
        """Let go of everything; all of it goes on."""
        async with self._moving:
            for shell in (*self.runtimes.values(), self.router):
                if shell is not None:
                    await _quietly(shell.close())
            self.runtimes, self.router = {}, None

    async def restart_router(self) -> None:
        """Put a new router process in the place of the running one."""
        if self.router is None:
            raise Conflict(
                "cannot restart the router: none runs", hint="publish a port: the router starts with the first one"
            )
        await self.router.restart()

    async def stop_router(self) -> None:
        """End the router: nothing is left that it could route to.

        One that routes all the same is let go of: what it serves is on record no more, since the database was lost.
        """
        async with self._moving:
            if self.router is None:
                return
            router, self.router = self.router, None
            seen = (await observe({}, router)).router
            if seen is not None and not any(route.routes for route in seen.routes.values()):
                await _quietly(router.stop())
            await _quietly(router.close())

    async def end_router(self) -> None:
        """End the router, also one that a dead daemon has left behind."""
        await self.stop_router()
        left = self._make_router()
        await _quietly(left.stop())
        await _quietly(left.close())

    async def runtime(self, name: str) -> Runtime:
        """One runtime, opened. Raises what kept it from opening."""
        await self._open_runtime(name)
        return self.runtimes[name]

    async def check_ports(self, ports: tuple[Port, ...]) -> tuple[str, ...]:
        """Reasons why the router could not listen there. Raises what kept the router from opening."""
        router = await self._open_router()
        return await router.check(ports)

    async def records(self) -> tuple[Record, ...]:
        """What the project's routers have counted, also those that have ended."""
        return await (self.router or self._make_router()).records()

    async def observe(self) -> Sight:
        """Look at everything that is open."""
        sight = await observe(self.runtimes, self.router)
        self._owners = {replica.id: name for name, replicas in sight.replicas.items() for replica in replicas}
        sight.problems.update(self.problems)
        return sight

    async def act(self, action: Action, revision: Revision | None) -> None:
        """Hand an action to the shell that it is for."""
        if isinstance(action, SetRoutes | ReachReplicas):
            if self.router is None:
                raise RouterTrouble(self.problems.get("router", "cannot route requests: the router is not there"))
            await self.router.perform(action)
            return
        if isinstance(action, MakeFront | RemoveFront):
            for runtime in self.runtimes.values():
                await runtime.perform_front(action)
            return
        name = self._owners.get(action.replica)
        if isinstance(action, StartReplica) and revision is not None:
            name = revision.service.runtime
        if name is None:
            return  # on record nowhere: stopped and removed already
        if name not in self.runtimes:
            raise RuntimeTrouble(self.problems.get(name, f'cannot use runtime "{name}": it is not there'))
        await self.runtimes[name].perform(action, revision)

    def _may_try(self, name: str) -> bool:
        return self._clock() >= self._again_at.get(name, 0.0)

    async def _try(self, name: str, opening: Awaitable[object]) -> None:
        try:
            await opening
            self.problems.pop(name, None)
        except MidairError as error:
            self.problems[name] = error.message
            self._again_at[name] = self._clock() + OPEN_AGAIN_S
            log.warning("%s", error.message)

    async def _open_runtime(self, name: str) -> None:
        async with self._moving:
            if name in self.runtimes:
                return
            runtime = self._make_runtime(name)
            runtime.on_change(self._nudge)
            await runtime.open()
            if self._in_force is not None:
                runtime.in_force(self._in_force)
            self.runtimes[name] = runtime

    async def _open_router(self) -> Router:
        async with self._moving:
            if self.router is None:
                router = self._make_router()
                router.on_change(self._nudge)
                await router.open()
                self.router = router
            return self.router


async def _quietly(ending: Awaitable[None]) -> None:
    try:
        await ending
    except MidairError as error:
        log.warning("%s", error.message)
