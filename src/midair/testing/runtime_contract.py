"""What every runtime has to do, as tests. A back-end's tests subclass `RuntimeContract` and say how it is made."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from midair.errors import RuntimeTrouble
from midair.model.action import RemoveReplica, StartReplica, StopReplica
from midair.model.ids import ReplicaId, replica_id
from midair.model.project import Revision, Service
from midair.model.seen import ReplicaSeen
from midair.runtime.base import Runtime

PATIENCE_S = 20.0


class Harness(Protocol):
    """Makes what the contract needs on one machine."""

    def runtime(self) -> Runtime:
        """A runtime that is not open yet. The next one is its successor on the same machine."""

    async def revision(self, kind: str, runtime: Runtime) -> Revision:
        """A revision of service "web" whose replicas are of a kind.

        "good" becomes ready; "deaf" too, but ignores SIGTERM; "mute" never becomes ready; "broken" exits with 3 at
        once; "sick" becomes ready and then unhealthy."""

    def code_service(self) -> Service:
        """A service with a build directory."""

    def change_code(self) -> None:
        """Change what is in that directory."""

    def uncallable_service(self) -> Service:
        """A service that could not be started."""


class RuntimeContract:
    """Subclass it with a name that begins with "Test" and a `harness` that returns a Harness."""

    def harness(self, folder: Path) -> Harness:
        """Make the harness; `folder` is empty and this test's own."""
        raise NotImplementedError

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the event loop that the back-end is for."""
        asyncio.run(main)

    def test_a_started_replica_becomes_ready_at_an_address_of_its_own(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            good = await harness.revision("good", runtime)
            first, second = [await _started(runtime, good, number) for number in (0, 1)]
            assert first.state == second.state == "ready"
            assert first.attempt == 1
            assert first.ready_at is not None
            assert first.ready_at <= first.since
            assert first.address != second.address
            assert first.exit_code is None

        self._prove(claim, tmp_path)

    def test_a_start_that_is_performed_twice_starts_one_process(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            good = await harness.revision("good", runtime)
            before = await _started(runtime, good)
            await runtime.perform(StartReplica(before.id), good)
            after = await _only(runtime)
            assert (after.pid, after.attempt, after.since) == (before.pid, 1, before.since)

        self._prove(claim, tmp_path)

    def test_a_replica_that_ends_is_seen_with_its_exit_code(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            broken = await harness.revision("broken", runtime)
            seen = await _started(runtime, broken, until="exited")
            assert seen.exit_code == 3
            assert seen.detail

        self._prove(claim, tmp_path)

    def test_the_next_attempt_starts_an_ended_replica_again(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            broken = await harness.revision("broken", runtime)
            first = await _started(runtime, broken, until="exited")
            await runtime.perform(StartReplica(first.id, attempt=2), broken)
            second = await eventually(runtime, first.id, lambda seen: seen.state == "exited" and seen.attempt == 2)
            assert second.since >= first.since
            await runtime.perform(StartReplica(first.id, attempt=1), broken)
            assert (await _only(runtime)).attempt == 2

        self._prove(claim, tmp_path)

    def test_a_running_replica_is_not_started_again(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            good = await harness.revision("good", runtime)
            before = await _started(runtime, good)
            with suppress(RuntimeTrouble):  # a runtime may refuse, or find that it is done
                await runtime.perform(StartReplica(before.id, attempt=2), good)
            assert (await _only(runtime)).pid == before.pid

        self._prove(claim, tmp_path)

    def test_a_replica_that_was_told_to_stop_ends(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            seen = await _started(runtime, await harness.revision("good", runtime))
            for _ in range(2):
                await runtime.perform(StopReplica(seen.id), None)
            after = await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            assert after.pid is None
            await runtime.perform(StopReplica(seen.id), None)
            assert (await _only(runtime)).since == after.since

        self._prove(claim, tmp_path)

    def test_a_replica_that_ignores_the_signal_is_killed_after_its_grace(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            seen = await _started(runtime, await harness.revision("deaf", runtime))
            told = time.monotonic()
            await runtime.perform(StopReplica(seen.id, grace_s=1.0), None)
            assert (await _only(runtime)).state == "stopping"
            after = await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            assert 0.9 < time.monotonic() - told < 10
            assert after.exit_code in (-9, 137)

        self._prove(claim, tmp_path)

    def test_stopping_or_removing_a_replica_nobody_knows_is_harmless(self, tmp_path: Path) -> None:
        async def claim(_: Harness, runtime: Runtime) -> None:
            unknown = replica_id("web", "00000000", 0)
            await runtime.perform(StopReplica(unknown), None)
            await runtime.perform(RemoveReplica(unknown), None)
            assert await runtime.observe() == ()

        self._prove(claim, tmp_path)

    def test_only_an_ended_replica_is_removed(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            seen = await _started(runtime, await harness.revision("good", runtime))
            await _refused(runtime.perform(RemoveReplica(seen.id), None))
            await runtime.perform(StopReplica(seen.id), None)
            await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            await runtime.perform(RemoveReplica(seen.id), None)
            assert await runtime.observe() == ()

        self._prove(claim, tmp_path)

    def test_a_removed_replica_can_be_started_anew(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            broken = await harness.revision("broken", runtime)
            seen = await _started(runtime, broken, until="exited")
            await runtime.perform(RemoveReplica(seen.id), None)
            again = await _started(runtime, broken, until="exited")
            assert again.attempt == 1

        self._prove(claim, tmp_path)

    def test_a_replica_that_never_answers_goes_on_starting(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            mute = await harness.revision("mute", runtime)
            await runtime.perform(StartReplica(replica_id("web", mute.id, 0)), mute)
            await asyncio.sleep(0.6)
            seen = await _only(runtime)
            assert seen.state == "starting"
            assert seen.ready_at is None

        self._prove(claim, tmp_path)

    def test_a_replica_that_stops_answering_well_turns_unhealthy(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            sick = await harness.revision("sick", runtime)
            seen = await _started(runtime, sick, until="unhealthy")
            assert seen.detail
            assert seen.ready_at is not None

        self._prove(claim, tmp_path)

    def test_replicas_outlive_the_runtime_and_are_adopted(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            good = await harness.revision("good", runtime)
            before = await _started(runtime, good)
            await runtime.close()
            async with _open(harness) as successor:
                after = await eventually(successor, before.id, lambda seen: seen.state == "ready")
                assert (after.pid, after.attempt, after.address) == (before.pid, before.attempt, before.address)
                assert after.ready_at == before.ready_at
                await successor.perform(StartReplica(before.id), good)
                assert (await _only(successor)).pid == before.pid
                await successor.perform(StopReplica(before.id), None)
                await eventually(successor, before.id, lambda seen: seen.state == "exited")

        self._prove(claim, tmp_path)

    def test_a_stop_goes_on_in_the_next_runtime_with_the_grace_that_is_left(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            seen = await _started(runtime, await harness.revision("deaf", runtime))
            told = time.monotonic()
            await runtime.perform(StopReplica(seen.id, grace_s=1.5), None)
            await asyncio.sleep(0.3)
            await runtime.close()
            async with _open(harness) as successor:
                await eventually(successor, seen.id, lambda seen: seen.state == "exited")
                assert 1.4 < time.monotonic() - told < 10

        self._prove(claim, tmp_path)

    def test_what_ended_while_nobody_watched_is_seen_as_ended(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            broken = await harness.revision("broken", runtime)
            await runtime.perform(StartReplica(replica_id("web", broken.id, 0)), broken)
            await runtime.close()
            async with _open(harness) as successor:
                await eventually(successor, replica_id("web", broken.id, 0), lambda seen: seen.state == "exited")

        self._prove(claim, tmp_path)

    def test_changes_are_told_without_being_asked_for(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            nudged = asyncio.Event()
            runtime.on_change(nudged.set)
            good = await harness.revision("good", runtime)
            await runtime.perform(StartReplica(replica_id("web", good.id, 0)), good)
            while (await _only(runtime)).state != "ready":
                await asyncio.wait_for(nudged.wait(), PATIENCE_S)
                nudged.clear()

        self._prove(claim, tmp_path)

    def test_a_release_has_the_id_of_its_contents(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            service = harness.code_service()
            first = await runtime.fingerprint(service)
            assert first == await runtime.prepare(service, _silent) == await runtime.prepare(service, _silent)
            harness.change_code()
            second = await runtime.fingerprint(service)
            assert second not in (first, None)
            assert second == await runtime.prepare(service, _silent)
            await runtime.prune({second or ""})

        self._prove(claim, tmp_path)

    def test_a_service_that_could_not_be_started_is_told_beforehand(self, tmp_path: Path) -> None:
        async def claim(harness: Harness, runtime: Runtime) -> None:
            assert await runtime.check((await harness.revision("good", runtime)).service) == ()
            reasons = await runtime.check(harness.uncallable_service())
            assert len(reasons) == 1
            assert "\n" not in reasons[0]

        self._prove(claim, tmp_path)

    def _prove(self, claim: Callable[[Harness, Runtime], Awaitable[None]], folder: Path) -> None:
        async def prove() -> None:
            harness = self.harness(folder)
            async with _open(harness) as runtime:
                try:
                    await claim(harness, runtime)
                finally:
                    await runtime.close()
                    await _end_all(harness)

        self.run(prove())


async def eventually(runtime: Runtime, replica: ReplicaId, wanted: Callable[[ReplicaSeen], bool]) -> ReplicaSeen:
    """The first thing seen of a replica that is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    seen: ReplicaSeen | None = None
    while time.monotonic() < deadline:
        seen = next((seen for seen in await runtime.observe() if seen.id == replica), None)
        if seen is not None and wanted(seen):
            return seen
        await asyncio.sleep(0.01)
    raise AssertionError(f"never seen as wanted: {replica}, last {seen}")


@asynccontextmanager
async def _open(harness: Harness) -> AsyncIterator[Runtime]:
    runtime = harness.runtime()
    await runtime.open()
    try:
        yield runtime
    finally:
        await runtime.close()


async def _end_all(harness: Harness) -> None:
    async with _open(harness) as runtime:
        for seen in await runtime.observe():
            await runtime.perform(StopReplica(seen.id, signal="SIGKILL", grace_s=0.1), None)
        for seen in await runtime.observe():
            await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            await runtime.perform(RemoveReplica(seen.id), None)


async def _started(runtime: Runtime, revision: Revision, number: int = 0, until: str = "ready") -> ReplicaSeen:
    replica = replica_id("web", revision.id, number)
    await runtime.perform(StartReplica(replica), revision)
    return await eventually(runtime, replica, lambda seen: seen.state == until)


async def _only(runtime: Runtime) -> ReplicaSeen:
    (seen,) = await runtime.observe()
    return seen


async def _refused(performing: Awaitable[Any]) -> None:
    try:
        await performing
    except RuntimeTrouble:
        return
    raise AssertionError("should have been refused")


def _silent(line: str) -> None:
    assert "\n" not in line
