"""An end is noticed, and its code is found, on every kind of kernel."""

import asyncio
import os
import signal
import subprocess
import time

import pytest

from midair.runtime.process import identity as ids
from midair.runtime.process.watch import Watch, exit_code_of


@pytest.fixture(params=["with a pidfd", "by looking"])
def kernel(request, monkeypatch):
    def missing(pid, flags=0):
        raise OSError

    if request.param == "by looking":
        monkeypatch.setattr(os, "pidfd_open", missing)


def child(*command):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    process.returncode = 0  # as in `child`: this object waits for nobody
    process.stdin.close()
    return ids.identity_of(process.pid)


def watched(identity, act):
    async def watch():
        ended = asyncio.Event()
        watch = Watch(identity, ended.set)
        try:
            assert not ended.is_set()
            act(watch)
            await asyncio.wait_for(ended.wait(), 10)
            return watch.exit_code()
        finally:
            watch.close()

    return asyncio.run(watch())


@pytest.mark.usefixtures("kernel")
def test_an_end_is_noticed_with_its_code():
    assert watched(child("sleep", "60"), lambda watch: watch.send(signal.SIGTERM)) == -15
    assert watched(child("/bin/sh", "-c", "sleep 0.2; exit 7"), lambda watch: None) == 7


@pytest.mark.usefixtures("kernel")
def test_a_process_that_has_ended_already_is_noticed():
    identity = child("sleep", "60")
    os.kill(identity.pid, 9)
    os.waitid(os.P_PID, identity.pid, os.WEXITED | os.WNOWAIT)
    assert watched(identity, lambda watch: None) == -9


@pytest.mark.usefixtures("kernel")
def test_another_process_with_the_same_pid_gets_no_signal():
    mine = ids.identity_of(os.getpid())
    other = ids.Identity(mine.pid, "1", mine.boot)
    assert watched(other, lambda watch: watch.send(signal.SIGTERM)) is None


def test_the_code_of_a_process_that_somebody_else_reaped_is_asked_from_the_kernel():
    release = tuple(int(part) for part in os.uname().release.split(".")[:2])
    if os.uname().sysname != "Linux" or release < (6, 15):
        pytest.skip("needs Linux 6.15")
    identity = child("/bin/sh", "-c", "sleep 0.2; exit 7")

    def reap(watch):
        deadline = time.monotonic() + 10
        while exit_code_of(identity) is None and time.monotonic() < deadline:
            time.sleep(0.01)

    assert watched(identity, reap) == 7
