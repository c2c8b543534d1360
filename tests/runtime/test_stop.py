"""A replica ends in order, and it ends."""

import asyncio
import errno
import os
import threading
import time

from tests.runtime.place import no_descriptors, printed, prove, shell, written

from midair.model.action import StopReplica
from midair.model.project import Hook
from midair.runtime.process import stop
from midair.runtime.process.watch import Watch
from midair.testing.runtime_contract import eventually


def said(harness):
    """What was printed, without what a shell prints of a `sleep` that had the signal as well."""
    lines = printed(harness.log()).splitlines()
    return [line for line in lines if line not in ("Terminated", "User defined signal 1")]


def test_a_replica_ends_in_order(harness):
    async def claim():
        script = "trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.02; done"
        hooks = (
            Hook(("/bin/sh", "-c", "echo first >> $LOG")),
            Hook(("/bin/sh", "-c", "sleep 0.2; echo second >> $LOG")),
        )
        service = shell(harness, script, pre_stop=hooks, environment={"LOG": str(harness.log())})
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service)
            await written(harness, "up")
            after = await harness.stop(runtime, seen.id)
        assert said(harness) == ["up", "first", "second", "told"]
        assert after.exit_code == 0

    prove(claim)


def test_stop_signal_goes_to_every_process(harness):
    async def claim():
        child = "trap 'echo child told; exit 0' USR1; echo up; while :; do sleep 0.02; done"
        script = f"trap 'echo told; wait; exit 0' USR1; /bin/sh -c \"{child}\" & while :; do sleep 0.02; done"
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, script))
            await written(harness, "up")
            await harness.stop(runtime, seen.id, signal="SIGUSR1")
        assert sorted(said(harness)) == ["child told", "told", "up"]
        assert harness.marked() == []

    prove(claim)


def test_app_behind_a_script_ends_in_order(harness):
    async def claim():
        app = "trap 'sleep 0.3; echo in order; exit 0' TERM; echo up; while :; do sleep 0.02; done"
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, f'/bin/sh -c "{app}"; echo next'))
            await written(harness, "up")
            after = await harness.stop(runtime, seen.id)
        assert said(harness) == ["up", "in order"]
        assert not after.killed
        assert harness.marked() == []

    prove(claim)


def test_survivor_of_a_script_is_killed_after_the_grace(harness):
    async def claim():
        app = "trap '' TERM; echo up; while :; do sleep 0.02; done"
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, f'/bin/sh -c "{app}"; echo next'))
            await written(harness, "up")
            told = time.monotonic()
            after = await harness.stop(runtime, seen.id, grace_s=0.4)
        assert 0.4 <= time.monotonic() - told < 5
        assert after.killed
        assert harness.marked() == []

    prove(claim)


def test_next_daemon_grants_the_rest_of_the_grace(harness):
    async def claim():
        app = "trap 'sleep 0.5; echo in order; exit 0' TERM; echo up; while :; do sleep 0.02; done"
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, f'/bin/sh -c "{app}"; echo next'))
            await written(harness, "up")
            await runtime.perform(StopReplica(seen.id, grace_s=10.0), None)
            await asyncio.sleep(0.1)
        async with harness.open() as runtime:
            after = await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
        assert said(harness) == ["up", "in order"]
        assert not after.killed

    prove(claim)


def test_pre_stop_hooks_that_hang_or_fail_do_not_keep_a_replica(harness):
    async def claim():
        hooks = (Hook(("false",)), Hook(("no-such-program",)), Hook(("sleep", "60")))
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "exec sleep 60", pre_stop=hooks))
            told = time.monotonic()
            after = await harness.stop(runtime, seen.id, grace_s=0.5)
            assert 0.5 <= time.monotonic() - told < 5
            assert after.exit_code == -15

    prove(claim)


def test_a_replica_is_stopped_also_when_nothing_can_be_opened(harness):
    async def claim():
        hook = Hook(("true",))
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "exec sleep 60", pre_stop=(hook,)))
            with no_descriptors():
                await harness.stop(runtime, seen.id, grace_s=30.0)

    prove(claim)


def test_a_replica_that_may_not_be_killed_is_told_of_and_tried_again(harness, monkeypatch):
    def refused(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "exec sleep 60"))
            monkeypatch.setattr(stop, "_AGAIN_S", 0.05)
            with monkeypatch.context() as patched:
                patched.setattr(Watch, "send", refused)
                patched.setattr(stop, "kill_replica", lambda *_: None)
                await runtime.perform(StopReplica(seen.id, grace_s=0.1), None)
                told = "does not end: cannot be killed: Operation not permitted"
                await eventually(runtime, seen.id, lambda seen: seen.detail == told)
            assert (await eventually(runtime, seen.id, lambda seen: seen.state == "exited")).exit_code == -9

    prove(claim)


def test_daemon_that_ends_amid_a_signal_sends_it_once(harness, monkeypatch):
    """The first process has the signal, and the others are being looked for."""
    goes_on = threading.Event()
    monkeypatch.setattr(stop, "signal_members", lambda *_: goes_on.wait(10))

    async def claim():
        service = shell(harness, "trap 'echo told' TERM; echo up; while :; do sleep 0.02; done")
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service)
            await written(harness, "up")
            await runtime.perform(StopReplica(seen.id, grace_s=1), None)
            await written(harness, "told")
        goes_on.set()
        async with harness.open() as runtime:
            await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
        assert said(harness) == ["up", "told"]

    prove(claim)
