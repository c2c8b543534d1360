"""What somebody stops and removes with the docker command stays so; what crashes does not."""

import asyncio

import pytest
from tests.docker.test_docker_runtime import ONE, container_of, opened, started

from midair.model.action import RemoveReplica, StartReplica, StopReplica
from midair.testing.runtime_contract import eventually

pytestmark = [pytest.mark.docker]


def test_container_stopped_by_hand_stays_stopped(harness):
    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime)
            container = container_of(harness, ONE)
            harness.engine.docker("stop", "-t", "2", container)
            await eventually(runtime, ONE, lambda seen: seen.by_hand == "stopped")
        async with opened(harness) as successor:
            [seen] = await successor.observe()
            assert (seen.state, seen.by_hand) == ("exited", "stopped")
            harness.engine.docker("start", container)
            await eventually(successor, ONE, lambda seen: seen.state == "ready" and not seen.by_hand)
        harness.engine.docker("stop", "-t", "2", container)
        async with opened(harness) as successor:  # nobody was there to hear it
            [seen] = await successor.observe()
            assert seen.by_hand == "stopped"
            harness.engine.docker("rm", container)
            await eventually(successor, ONE, lambda seen: seen.by_hand == "removed")
        async with opened(harness) as successor:
            [seen] = await successor.observe()
            assert (seen.id, seen.by_hand) == (ONE, "removed")

    asyncio.run(claim())


def test_container_that_midair_stops_is_not_stopped_by_hand(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, _ = await started(harness, runtime)
            await runtime.perform(StopReplica(ONE, "SIGTERM", 5.0), None)
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert not seen.by_hand
            await runtime.perform(RemoveReplica(ONE), None)
            assert await runtime.observe() == ()
            await runtime.perform(StartReplica(ONE), made)
            harness.engine.docker("kill", container_of(harness, ONE))
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert not seen.by_hand

    asyncio.run(claim())


def test_start_of_a_running_replica_is_done(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, container = await started(harness, runtime)
            await runtime.perform(StartReplica(ONE, attempt=5), made)
            assert container_of(harness, ONE) == container

    asyncio.run(claim())
