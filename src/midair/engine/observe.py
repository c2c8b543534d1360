"""Looks at everything of a project at once. What cannot be seen is None, which is different from empty."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

import msgspec

from midair.errors import MidairError
from midair.model.ids import service_of
from midair.model.rollout import Rollout
from midair.model.seen import FrontSeen, ReplicaSeen, RouteSeen, Seen, Trouble
from midair.router.base import Router, RouterSeen
from midair.runtime.base import Runtime

LOOK_S = 5.0
log = logging.getLogger(__name__)
T = TypeVar("T")


class Sight(msgspec.Struct, frozen=True):
    """What runtimes and router said at one moment."""

    replicas: dict[str, tuple[ReplicaSeen, ...]] = {}  # by runtime, those that answered
    router: RouterSeen | None = None
    problems: dict[str, str] = {}  # by runtime, or "router": why there was no answer
    fronts: dict[str, FrontSeen] = {}  # by service
    by_service: dict[str, tuple[ReplicaSeen, ...]] = {}  # of every runtime that answered

    @property
    def all_replicas(self) -> tuple[ReplicaSeen, ...]:
        """Of every runtime that answered."""
        return tuple(replica for replicas in self.replicas.values() for replica in replicas)

    def seen(self, rollout: Rollout, runtimes: frozenset[str], troubles: tuple[Trouble, ...]) -> Seen:
        """One service out of it, which has replicas on these runtimes and no other."""
        service = rollout.service
        is_known = all(name in self.replicas for name in runtimes)
        replicas = self.by_service.get(service, ()) if is_known else None
        nothing = RouteSeen(settled=0, reach=() if self.router is not None and self.router.reaches else None)
        route = None if self.router is None else self.router.routes.get(service, nothing)
        return Seen(replicas=replicas, route=route, troubles=troubles, front=self.fronts.get(service))


async def observe(runtimes: Mapping[str, Runtime], router: Router | None) -> Sight:
    """Look at all of them together."""
    names = list(runtimes)
    looks: list[Callable[[], Awaitable[object]]] = [partial(_observe, runtimes[name]) for name in names]
    if router is not None:
        looks.append(router.observe)
    answers = await asyncio.gather(*(_look(look) for look in looks))
    problems = {
        name: answer
        for name, answer in zip([*names, "router"][: len(answers)], answers, strict=True)
        if isinstance(answer, str)
    }
    looked = {name: answer for name, answer in zip(names, answers, strict=False) if isinstance(answer, _Looked)}
    replicas = {name: each.replicas for name, each in looked.items()}
    fronts = {front.service: front for each in looked.values() for front in each.fronts}
    seen = answers[-1] if router is not None and isinstance(answers[-1], RouterSeen) else None
    return Sight(replicas=replicas, router=seen, problems=problems, fronts=fronts, by_service=_by_service(replicas))


class _Looked(msgspec.Struct, frozen=True):
    """What one runtime answered."""

    replicas: tuple[ReplicaSeen, ...]
    fronts: tuple[FrontSeen, ...]


async def _observe(runtime: Runtime) -> _Looked:
    return _Looked(await runtime.observe(), await runtime.observe_fronts())


def _by_service(replicas: Mapping[str, tuple[ReplicaSeen, ...]]) -> dict[str, tuple[ReplicaSeen, ...]]:
    found: dict[str, list[ReplicaSeen]] = {}
    for name in sorted(replicas):
        for replica in replicas[name]:
            found.setdefault(service_of(replica.id), []).append(replica)
    return {service: tuple(its) for service, its in found.items()}


async def _look(look: Callable[[], Awaitable[T]]) -> T | str:
    try:
        async with asyncio.timeout(LOOK_S):
            return await look()
    except MidairError as error:
        return error.message
    except TimeoutError:
        return f"no answer within {LOOK_S:g} s"
    except Exception as error:  # a defect in one back-end must not blind the others
        log.exception("cannot look")
        return f"{type(error).__name__}: {error}"
