"""Carries actions out, side by side, one at a time for each thing they act on. Failures become facts."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from midair.errors import MidairError
from midair.model.action import (
    Action,
    MakeFront,
    ReachReplicas,
    RemoveFront,
    RemoveReplica,
    SetRoutes,
    StartReplica,
)
from midair.model.ids import ReplicaId, service_of
from midair.model.moment import Moment
from midair.model.seen import ReplicaSeen, Trouble

ACT_S = 60.0
_OF_SERVICES = ("routes", "reach", "front")  # the verbs of actions that concern a service as a whole
log = logging.getLogger(__name__)


class Hands:
    """The actions under way of one project, and those that failed and have not worked since."""

    def __init__(
        self,
        act: Callable[[Action], Awaitable[None]],
        clock: Callable[[], Moment],
        nudge: Callable[[], None],
        around: Callable[[str], None] = lambda moment: None,
    ) -> None:
        self._act, self._clock, self._nudge, self._around = act, clock, nudge, around
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._put_off: set[str] = set()
        self._starting: set[ReplicaId] = set()
        self._last: dict[str, Action] = {}
        self._asked: dict[str, tuple[SetRoutes, Moment]] = {}  # by service: the routes asked for last, and when
        self._troubles: dict[str, Trouble] = {}

    def begin(self, actions: Iterable[Action]) -> None:
        """Begin each action. What acts on something that another one is still acting on is asked for again later."""
        for action in actions:
            place = target(action)
            if place in self._under_way:
                self._put_off.add(place)
            else:
                if isinstance(action, StartReplica):
                    self._starting.add(action.replica)
                elif isinstance(action, SetRoutes):
                    self._asked[action.service] = action, self._clock()
                self._under_way[place] = asyncio.create_task(self._perform(place, action), name=action.key)

    def starting(self) -> tuple[ReplicaId, ...]:
        """Replicas whose start is being carried out now. Ask before looking: one may end while the look goes on."""
        return tuple(self._starting)

    def asked_at(self, routes: SetRoutes | None) -> Moment | None:
        """When these routes were asked for last; None when this control plane did not yet."""
        asked = None if routes is None else self._asked.get(routes.service)
        return asked[1] if asked is not None and asked[0] == routes else None

    def troubles(self, service: str) -> tuple[Trouble, ...]:
        """What failed for a service and has not worked since."""
        return tuple(trouble for key, trouble in sorted(self._troubles.items()) if _service_of_key(key) == service)

    def learn(self, replicas: Iterable[ReplicaSeen]) -> None:
        """A start that failed is no trouble any more when the replica is ready: the engine, say, was quicker."""
        for replica in replicas:
            if replica.state == "ready":
                self._troubles.pop(StartReplica(replica.id).key, None)

    def is_busy(self, service: str) -> bool:
        """True while something that concerns a service is under way: what comes of it is not to be seen yet."""
        return any(_service_of_place(place) == service for place in self._under_way)

    async def settle(self, timeout: float) -> None:
        """Wait for what is under way, then give it up: whoever comes next asks for it again."""
        tasks = list(self._under_way.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=timeout)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _perform(self, place: str, action: Action) -> None:
        worked = False
        try:
            self._around("before-action")
            async with asyncio.timeout(ACT_S):
                await self._act(action)
            self._around("action")
            worked = True
            self._troubles.pop(action.key, None)
        except MidairError as error:
            self._failed(action, error.message)
        except TimeoutError:
            self._failed(action, f"no end within {ACT_S:g} s")
        except Exception as error:  # a defect in a back-end must not end the project's loop
            log.exception("cannot %s", action.key)
            self._failed(action, f"{type(error).__name__}: {error}")
        finally:
            del self._under_way[place]
            self._starting.discard(ReplicaId(place))
            # An action that is asked for over and over, until it shows, must not turn the loop without a pause.
            if not worked or place in self._put_off or self._last.get(place) != action:
                self._nudge()
            self._put_off.discard(place)
            self._last[place] = action
            if worked and isinstance(action, RemoveReplica):
                self._forget(action.replica)

    def _forget(self, replica: str) -> None:
        """Nothing is left that could fail or be asked for again."""
        self._last.pop(replica, None)
        for key in [key for key in self._troubles if key.endswith(f" {replica}")]:
            del self._troubles[key]

    def _failed(self, action: Action, text: str) -> None:
        before = self._troubles.get(action.key)
        count = before.count + 1 if before else 1
        self._troubles[action.key] = Trouble(action.key, count, self._clock(), text)
        log.warning("cannot %s (%d in a row): %s", action.key, count, text)


def target(action: Action) -> str:
    """What an action acts on: a replica, or of a service the routes, the candidates for them, or the front."""
    if isinstance(action, SetRoutes | ReachReplicas | MakeFront | RemoveFront):
        return action.key
    return action.replica


def _service_of_key(key: str) -> str:
    verb, _, what = key.partition(" ")
    return what if verb in _OF_SERVICES else service_of(ReplicaId(what))


def _service_of_place(place: str) -> str:
    return (
        _service_of_key(place)
        if place.startswith(tuple(f"{verb} " for verb in _OF_SERVICES))
        else service_of(ReplicaId(place))
    )
