"""Keeps one project as it is to be: observe, decide, store, act, wait."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable
from difflib import get_close_matches

from msgspec.structs import replace

from midair import change as changes
from midair import rollout as rollouts
from midair.engine.deaths import Deaths
from midair.engine.decide import decide
from midair.engine.observe import Sight
from midair.engine.perform import Hands
from midair.engine.prune import prune
from midair.engine.state import State
from midair.engine.tidy import Tidying
from midair.engine.world import World
from midair.errors import NotFound, StoreTrouble
from midair.model.action import Action, StartReplica
from midair.model.event import WishTaken
from midair.model.ids import ReplicaId, revision_of, service_of
from midair.model.moment import Moment
from midair.model.project import Project
from midair.model.rollout import Rollout, Wish
from midair.model.seen import Seen
from midair.router.base import RouterSeen
from midair.store import Store

log = logging.getLogger(__name__)
LOOK_S = 5.0  # between two looks when nothing calls; shells nudge when something happens
BREATH_S = 0.005  # at least so long between two rounds
STORE_AGAIN_S = 1.0  # after a commit that failed
LAST_ACTIONS_S = 5.0  # for what is under way when the daemon ends


class Keeper:
    """One project's loop."""

    def __init__(
        self,
        store: Store,
        state: State,
        clock: Callable[[], Moment],
        make_world: Callable[[Callable[[], None]], World],
        around: Callable[[str], None],
    ) -> None:
        self.project = state.project  # its key; `name` is for people
        self.store, self.state, self.clock = store, state, clock
        self.world = make_world(self.nudge)
        self.accepting = asyncio.Lock()  # held while a change is prepared, and while old ones are forgotten
        self.sight = Sight()
        self.router_seen: RouterSeen | None = None  # when it could be asked last
        self.deaths = Deaths(store, self.project)
        self.problem = ""
        self.guests = 0  # who plan or prepare something just now
        self._hands = Hands(self._act, clock, self.nudge, around)
        self._tidying = Tidying(self._tidy)
        self._starting: tuple[ReplicaId, ...] = ()  # whose start was under way when it was looked
        state.is_busy = self._hands.is_busy
        self.take_down: Callable[[Keeper], Coroutine[None, None, None]] = _leave
        self._news = asyncio.Event()
        self._opened = asyncio.Event()  # before, nothing could be seen, which must not be taken for nothing
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        """What people call the project."""
        return self.state.name

    def open(self) -> None:
        """Begin to keep the project."""
        self._begin(self._keep())

    async def close(self) -> None:
        """Let go of everything. All of it goes on without midair."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._tidying.close(LAST_ACTIONS_S)
        if self.state.is_empty:
            await self.world.stop_router()  # nobody else would
        await self._hands.settle(LAST_ACTIONS_S)
        await self.world.close()

    def nudge(self) -> None:
        """Something happened: look again."""
        self._news.set()

    def wish(self, service: str, wish: Wish, word: str) -> None:
        """Take an operator's wish. It is stored, and the next round acts on it."""
        rollout = self.state.rollouts.get(service)
        if rollout is None:
            raise NotFound(
                f'cannot {word} "{service}": project "{self.name}" has no such service now',
                hint=did_you_mean(service, self.state.rollouts),
            )
        now = self.clock()
        wished = rollouts.request(rollout, wish, now)
        event = (int(rollout.change), WishTaken(service, word))
        self.state.commit(now, rollouts=(wished,), events=(event,))
        self.nudge()

    async def look(self) -> Sight:
        """Look at everything now, without deciding anything."""
        if self.state.is_empty and not self.world.runtimes:
            return Sight()
        await self._opened.wait()
        self._starting = self._hands.starting()
        self.sight = await self.world.observe()
        self._hands.learn(self.sight.all_replicas)
        self.router_seen = self.sight.router or self.router_seen
        return self.sight

    def seen(self, rollout: Rollout) -> Seen:
        """One service, as it was seen last."""
        seen = self.sight.seen(rollout, self._runtimes(rollout), self._hands.troubles(rollout.service))
        starting = tuple(one for one in self._starting if service_of(one) == rollout.service)
        return replace(seen, starting=starting, asked_at=self._hands.asked_at(rollout.asked))

    def shown(self, rollout: Rollout) -> Seen:
        """The same for people: each replica as ready as the router finds it."""
        seen = self.seen(rollout)
        if seen.replicas is None:
            return seen
        return replace(seen, replicas=rollouts.with_reach(rollout, seen.route, seen.replicas))

    # The loop

    async def _keep(self) -> None:
        while True:
            self._news.clear()
            try:
                wake_at = await self._round()
                self.problem = ""
            except StoreTrouble as error:
                self._say(error.message)
                wake_at = self.clock() + STORE_AGAIN_S
            except Exception as error:  # a defect must be seen, and must not end the loop
                self._say(f"{type(error).__name__}: {error}", defect=True)
                wake_at = self.clock() + LOOK_S
            await asyncio.sleep(BREATH_S)
            await self._wait(wake_at)

    async def _round(self) -> Moment | None:
        try:
            await self._open_world()
        finally:
            self._opened.set()
        await self.look()
        # From here to the commit nothing else runs: wishes and new changes come before or after, never between.
        now = self.clock()
        known = self.state.rollouts
        seen = {name: self.seen(rollout) for name, rollout in known.items()}
        change = self.state.under_way
        decision = decide(change, known, seen, self.router_seen, now)
        changed = () if decision.change is None or decision.change is change else (decision.change,)
        events = decision.events
        belongs_to = None if change is None else int(change.id)
        events = (*((belongs_to, death) for death in self.deaths.news(self.sight.router)), *events)
        self.state.commit(now, changes=changed, rollouts=decision.rollouts, events=events)
        self._hands.begin(decision.actions)
        if decision.has_ended:
            self._tidying.begin()
        if changes.is_taken_down(self.state.under_way, self.state.rollouts) and not self.accepting.locked():
            self._begin(self.take_down(self))
        if self.state.is_empty and not self.accepting.locked():
            await self.world.stop_router()
        return decision.wake_at

    async def _wait(self, wake_at: Moment | None) -> None:
        spans = [] if self.state.is_empty else [LOOK_S]
        if wake_at is not None:
            spans.append(max(0.0, wake_at - self.clock()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(spans, default=None)):
                await self._news.wait()

    async def _open_world(self) -> None:
        """Open what the rollouts need, and tell it what it has to know beforehand."""
        known = self.state.rollouts.values()
        names = frozenset(name for rollout in known for name in self._runtimes(rollout))
        routes = any(rollout.policy.ports or rollout.asked is not None for rollout in known)
        in_force = self.state.in_force
        self.world.in_force(in_force.project if in_force else Project(self.project, {}))
        await self.world.open(names, router=routes)
        goals = (self.state.revision(one.service, str(one.goal.revision)) for one in known if one.goal.revision)
        await self.world.adapt(revision for revision in goals if revision is not None)

    def _runtimes(self, rollout: Rollout) -> frozenset[str]:
        """The runtimes that may have replicas of a service."""
        ids = {rollout.goal.revision, rollout.stable.revision, *(revision_of(one.id) for one in rollout.replicas)}
        found = (self.state.revision(rollout.service, str(one)) for one in ids if one is not None)
        return frozenset(revision.service.runtime for revision in found if revision is not None)

    async def _act(self, action: Action) -> None:
        revision = None
        if isinstance(action, StartReplica):
            revision = self.state.revision(service_of(action.replica), revision_of(action.replica))
        await self.world.act(action, revision)

    async def _tidy(self) -> None:
        async with self.accepting:
            await prune(self.store, self.state, self.world)
        self.nudge()  # the router stays while something may be being accepted

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say(self, problem: str, *, defect: bool = False) -> None:
        if problem != self.problem:
            log.error("cannot keep project %s: %s", self.project, problem, exc_info=defect)
        self.problem = problem


async def _leave(keeper: Keeper) -> None:
    """Nobody said what is to be done when somebody else has taken the project down."""


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint that names what there is."""
    known = list(known)
    close = get_close_matches(name, known, n=1)
    return f'use "{close[0]}"' if close else f"use one of {', '.join(sorted(known))}" if known else None
