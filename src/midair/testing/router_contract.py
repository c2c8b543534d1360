"""What every router has to do, as tests. A back-end's tests subclass `RouterContract` and say how it is made."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from midair.errors import RouterTrouble
from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId, replica_id
from midair.model.project import Port
from midair.model.seen import Route, Tally
from midair.router.base import Router, RouterSeen

PATIENCE_S = 20.0
ONE, OTHER = replica_id("web", "11111111", 0), replica_id("web", "22222222", 0)


class Harness(Protocol):
    """Makes what the contract needs, in one place."""

    def router(self) -> Router:
        """A router that is not open yet. The next one finds what this one left."""

    async def route(self, replica: ReplicaId) -> Route:
        """A route to a replica that answers when it is told to."""

    async def port(self, *, taken: bool = False) -> Port:
        """A port that can be listened on, or one that cannot."""

    async def begin(self, replica: ReplicaId, port: Port) -> None:
        """Get one request into a replica, which is the only one routed to."""

    async def end(self, replica: ReplicaId) -> None:
        """Have the replica answer one of the requests inside."""

    async def close(self) -> None:
        """Leave nothing behind."""


class RouterContract:
    """Subclass it, give it a `harness`, and run it with pytest."""

    def harness(self, folder: Path) -> Harness:
        """What the router under test is made with."""
        raise NotImplementedError

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a test to its end."""
        asyncio.run(main)

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[tuple[Harness, Router]]:
        """A harness and an open router, ended afterwards."""
        harness = self.harness(folder)
        router = harness.router()
        await router.open()
        try:
            yield harness, router
        finally:
            await router.stop()
            await router.close()
            await harness.close()

    def test_it_begins_with_nothing(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (_, router):
                seen = await router.observe()
                assert seen.routes == {}
                assert total(seen) == Tally()

        self.run(main())

    def test_routes_that_were_asked_for_settle_and_say_so(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                nudged = asyncio.Event()
                router.on_change(nudged.set)
                route, port = await harness.route(ONE), await harness.port()
                await router.perform(SetRoutes("web", 3, (route,), ports=(port,)))
                await asyncio.wait_for(nudged.wait(), PATIENCE_S)
                seen = (await router.observe()).routes["web"]
                assert (seen.settled, seen.routes, seen.hold, seen.problem) == (3, (route,), False, "")

        self.run(main())

    def test_an_older_generation_is_refused_and_the_same_one_is_harmless(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                newer = SetRoutes("web", 3, (await harness.route(ONE),), ports=(await harness.port(),))
                await router.perform(newer)
                await router.perform(newer)
                assert await is_refused(router, SetRoutes("web", 2))
                assert (await router.observe()).routes["web"].settled == 3

        self.run(main())

    def test_services_have_generations_of_their_own(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (_, router):
                await router.perform(SetRoutes("web", 7))
                await router.perform(SetRoutes("api", 1, hold=True))
                routes = (await router.observe()).routes
                assert (routes["web"].settled, routes["api"].settled, routes["api"].hold) == (7, 1, True)

        self.run(main())

    def test_a_port_that_cannot_be_listened_on_is_told_before_and_after(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                good, taken = await harness.port(), await harness.port(taken=True)
                route = await harness.route(ONE)
                await router.perform(SetRoutes("web", 1, (route,), ports=(good,)))
                (reason,) = await router.check((good, taken))
                assert f'"{taken.port}"' in reason or f':{taken.port}"' in reason
                assert await is_refused(router, SetRoutes("web", 2, (), ports=(taken,)))
                seen = (await router.observe()).routes["web"]
                assert (seen.settled, seen.routes) == (1, (route,))
                assert str(taken.port) in seen.problem

        self.run(main())

    def test_requests_inside_a_replica_are_counted_until_the_last_has_left(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                port = await harness.port()
                await router.perform(SetRoutes("web", 1, (await harness.route(ONE),), ports=(port,)))
                await harness.begin(ONE, port)
                await harness.begin(ONE, port)
                assert (await router.observe()).routes["web"].open == {ONE: 2}
                await router.perform(SetRoutes("web", 2, (await harness.route(OTHER),), ports=(port,)))
                assert (await router.observe()).routes["web"].open == {ONE: 2, OTHER: 0}
                nudged = asyncio.Event()
                router.on_change(nudged.set)
                await harness.end(ONE)
                await harness.end(ONE)
                await asyncio.wait_for(nudged.wait(), PATIENCE_S)
                seen = await router.observe()
                assert seen.routes["web"].open.get(ONE, 0) == 0
                assert total(seen) == Tally(accepted=2, answered=2)
                (count,) = (count for count in seen.counts if count.revision == "11111111")
                assert (count.service, count.by_status["2xx"]) == ("web", 2)

        self.run(main())

    def test_it_goes_on_when_it_is_let_go_of_and_is_found_again(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                port = await harness.port()
                await router.perform(SetRoutes("web", 5, (await harness.route(ONE),), ports=(port,)))
                await harness.begin(ONE, port)
                before = await router.observe()
                await router.close()
                other = harness.router()
                await other.open()
                after = await other.observe()
                assert (after.pid, after.started_at) == (before.pid, before.started_at)
                assert after.routes == before.routes
                await harness.end(ONE)
                await other.close()
                await router.open()

        self.run(main())

    def test_restarting_it_changes_no_route_and_no_count(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                port = await harness.port()
                await router.perform(SetRoutes("web", 5, (await harness.route(ONE),), ports=(port,)))
                await harness.begin(ONE, port)
                before = await router.observe()
                await router.restart()
                after = await router.observe()
                assert after.started_at > before.started_at
                assert after.routes == before.routes
                assert total(after) == total(before)
                await harness.end(ONE)

        self.run(main())

    def test_stopped_it_forgets_its_routes_but_not_its_counts(self, tmp_path: Path) -> None:
        async def main() -> None:
            async with self.opened(tmp_path) as (harness, router):
                port = await harness.port()
                await router.perform(SetRoutes("web", 5, (await harness.route(ONE),), ports=(port,)))
                await harness.begin(ONE, port)
                await harness.end(ONE)
                await eventually(router, Tally(accepted=1, answered=1))
                await router.stop()
                await router.open()
                seen = await router.observe()
                assert seen.routes == {}
                assert total(seen) == Tally(accepted=1, answered=1)

        self.run(main())


def total(seen: RouterSeen) -> Tally:
    """All that was counted."""
    tally = Tally()
    for count in seen.counts:
        tally = tally.plus(count.tally)
    return tally


async def is_refused(router: Router, action: SetRoutes) -> bool:
    """Whether the router refuses to do it."""
    try:
        await router.perform(action)
    except RouterTrouble:
        return True
    return False


async def eventually(router: Router, wanted: Tally) -> None:
    """Wait until the counts are these."""
    async with asyncio.timeout(PATIENCE_S):
        while total(await router.observe()) != wanted:  # noqa: ASYNC110 - any router, also a remote one
            await asyncio.sleep(0.01)
