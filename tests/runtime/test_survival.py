"""A daemon may be killed at any moment: its successor finds every process, and never a second one."""

import asyncio
import sys
import textwrap
import time

import msgspec
import pytest

from midair.model.action import StartReplica, StopReplica
from midair.model.project import Hook, Port
from midair.runtime.process import identity as ids
from midair.runtime.process import record, replica
from midair.runtime.process.layout import Layout
from midair.runtime.process.runtime import ProcessRuntime
from midair.testing.runtime_contract import eventually

REPLICA = "web/0123abcd/0"

DAEMON = """
import asyncio, os, signal, sys, time
from pathlib import Path
import msgspec
from midair.model.action import StartReplica, StopReplica
from midair.model.project import Revision
from midair.runtime.process import replica, stop
from midair.runtime.process.runtime import ProcessRuntime
from midair.testing.runtime_contract import eventually

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def then_die(function):
    def both(*arguments):
        function(*arguments)
        die()
    return both

home, revision, point = Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Revision), sys.argv[3]
patches = {
    "record written": (replica, "spawn", die),
    "process started": (replica, "spawn", then_die(replica.spawn)),
    "stop noted": (stop, "_send", die),
    "signal sent": (stop, "_send", then_die(stop._send)),
}
if point in patches:
    place, name, patch = patches[point]
    setattr(place, name, patch)

async def main():
    runtime = ProcessRuntime("shop", home, time.time)
    await runtime.open()
    await runtime.perform(StartReplica("web/0123abcd/0"), revision)
    if point == "started":
        die()
    await eventually(runtime, "web/0123abcd/0", lambda seen: seen.state == "ready")
    if point == "ready":
        die()
    await runtime.perform(StopReplica("web/0123abcd/0", grace_s=1.0), None)
    if point == "stop asked":
        die()
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def killed_daemon(harness, service, point):
    """Run a daemon that starts a replica and kills itself at the point."""
    async with harness.open() as runtime:
        revision = await harness.revision_of(service, runtime)
    text = msgspec.json.encode(revision).decode()
    daemon = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(DAEMON), str(harness.home), text, point
    )
    assert await daemon.wait() == -9
    return revision


@pytest.mark.parametrize("point", ["record written", "process started", "started", "ready"])
def test_a_daemon_killed_while_starting_leaves_one_replica_that_becomes_ready(harness, point):
    async def claim():
        revision = await killed_daemon(harness, harness.code_service(), point)
        async with harness.open() as runtime:
            seen = await eventually(runtime, REPLICA, lambda seen: seen.state == "ready")
            await runtime.perform(StartReplica(REPLICA), revision)
            assert seen.attempt == 1
            assert harness.marked() == [seen.pid]
            await harness.stop(runtime, REPLICA)
        assert harness.marked() == []

    asyncio.run(claim())


@pytest.mark.parametrize("point", ["stop asked", "stop noted", "signal sent"])
def test_a_daemon_killed_while_stopping_leaves_a_stop_that_goes_on(harness, point):
    async def claim():
        await killed_daemon(harness, deaf(harness), point)
        async with harness.open() as runtime:
            await eventually(runtime, REPLICA, lambda seen: seen.state == "exited")
        assert harness.marked() == []

    asyncio.run(claim())


def test_a_signal_that_was_sent_is_not_sent_again(harness):
    async def claim():
        await killed_daemon(harness, counts_signals(harness), "stop asked")
        async with harness.open() as runtime:
            await eventually(runtime, REPLICA, lambda seen: seen.state == "stopping" and told(harness) == 1)
        async with harness.open() as runtime:
            await eventually(runtime, REPLICA, lambda seen: seen.state == "exited")
        assert told(harness) == 1

    asyncio.run(claim())


def test_the_grace_that_has_passed_without_a_daemon_counts(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, deaf(harness))
            await runtime.perform(StopReplica(seen.id, grace_s=60), None)
            folder = Layout(harness.home, "shop").replica(REPLICA)
            await eventually(runtime, seen.id, lambda _: record.read(folder).stop.stage == "signalled")
        later = ProcessRuntime("shop", harness.home, lambda: time.time() + 61)
        await later.open()
        try:
            assert (await eventually(later, seen.id, lambda seen: seen.state == "exited")).exit_code == -9
        finally:
            await later.close()

    asyncio.run(claim())


def test_the_exit_code_of_an_adopted_replica_is_known(harness):
    async def claim():
        service = harness.service("/bin/sh", "-c", "while [ ! -e go ]; do sleep 0.05; done; exit 7")
        revision = await killed_daemon(harness, service, "ready")
        async with harness.open() as runtime:
            (Layout(harness.home, "shop").release(revision.release) / "go").touch()
            seen = await eventually(runtime, REPLICA, lambda seen: seen.state == "exited")
            assert seen.exit_code == 7

    asyncio.run(claim())


def test_of_two_starts_of_one_attempt_one_ends_before_it_has_done_anything(harness, monkeypatch):
    real = replica.spawn

    def twice(start, pid_file, log):
        first = real(start, pid_file, log)  # by a daemon that died right then …
        deadline = time.monotonic() + 10
        while ids.read_pid_file(pid_file) is None and time.monotonic() < deadline:
            pass
        second = real(start, pid_file, log)  # … and by its successor, which saw no pid file yet
        assert second != first
        return second

    async def claim():
        monkeypatch.setattr(replica, "spawn", twice)
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.code_service())
            marked = harness.marked()
            assert len(marked) == 1
            await eventually(runtime, REPLICA, lambda seen: seen.pid == marked[0])
            assert (await harness.stop(runtime, seen.id)).attempt == 1
        assert harness.marked() == []

    asyncio.run(claim())


def test_a_pid_that_now_belongs_to_another_process_is_left_alone(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.code_service())
            await harness.stop(runtime, seen.id)
        stranger = await asyncio.create_subprocess_exec("sleep", "60", start_new_session=True)
        try:
            folder = Layout(harness.home, "shop").replica(REPLICA)
            known = record.read(folder)
            identity = msgspec.structs.replace(known.identity, pid=stranger.pid)
            record.write(folder, msgspec.structs.replace(known, state="ready", stop=None, identity=identity))
            async with harness.open() as runtime:
                await eventually(runtime, REPLICA, lambda seen: seen.state == "exited")
                await runtime.perform(StopReplica(REPLICA), None)
            assert ids.identity_of(stranger.pid) is not None
        finally:
            stranger.kill()
            await stranger.wait()

    asyncio.run(claim())


def test_a_restart_of_the_machine_is_told(harness):
    async def claim():
        async with harness.open() as runtime:
            await harness.stop(runtime, (await harness.start(runtime, harness.code_service())).id)
        folder = Layout(harness.home, "shop").replica(REPLICA)
        known = record.read(folder)
        identity = msgspec.structs.replace(known.identity, boot="an earlier one")
        record.write(folder, msgspec.structs.replace(known, state="ready", stop=None, identity=identity))
        async with harness.open() as runtime:
            (seen,) = await runtime.observe()
            assert (seen.state, seen.detail) == ("exited", "ended when the machine was restarted")

    asyncio.run(claim())


def test_a_damaged_record_is_set_aside_and_its_process_is_not_left_running(harness):
    async def claim():
        async with harness.open() as runtime:
            await harness.start(runtime, harness.code_service())
        (Layout(harness.home, "shop").replica(REPLICA) / record.FILE).write_bytes(b'{"id": "we')
        async with harness.open() as runtime:
            assert await runtime.observe() == ()
            assert harness.marked() == []
            seen = await harness.start(runtime, harness.code_service())
            assert harness.marked() == [seen.pid]

    asyncio.run(claim())


def test_a_hook_that_outlived_its_daemon_is_ended_and_run_again(harness):
    async def claim():
        hook = Hook(("/bin/sh", "-c", "echo $$ >> hooks; [ $(wc -l < hooks) -gt 1 ] || sleep 60"))
        service = msgspec.structs.replace(harness.code_service(), post_start=(hook,))
        revision = await killed_daemon_in_hook(harness, service)
        async with harness.open() as runtime:
            await eventually(runtime, REPLICA, lambda seen: seen.state == "ready")
        first, second = hooks(harness, revision)
        assert first != second
        assert ids.identity_of(first) is None

    async def killed_daemon_in_hook(harness, service):
        async with harness.open() as runtime:
            revision = await harness.revision_of(service, runtime)
        text = msgspec.json.encode(revision).decode()
        daemon = await asyncio.create_subprocess_exec(sys.executable, "-c", DAEMON, str(harness.home), text, "never")
        while not hooks(harness, revision):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        daemon.kill()
        await daemon.wait()
        return revision

    def hooks(harness, revision):
        try:
            written = Layout(harness.home, "shop").release(revision.release) / "hooks"
            return [int(line) for line in written.read_text().split()]
        except FileNotFoundError:
            return []

    asyncio.run(claim())


def deaf(harness):
    return harness.service(sys.executable, "app.py", "deaf", ports=(Port(8000, 8000),))


def counts_signals(harness):
    script = f"trap 'echo told >> {harness.home}/told' TERM; while :; do sleep 0.05; done"
    return harness.service("/bin/sh", "-c", script)


def told(harness):
    try:
        return len((harness.home / "told").read_text().split())
    except FileNotFoundError:
        return 0
