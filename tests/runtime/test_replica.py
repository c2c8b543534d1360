"""What a replica is given, what it leaves behind, and what is said when it cannot live."""

import errno
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time

import msgspec
import pytest
from msgspec.structs import replace
from tests.runtime.place import printed, prove, service, shell, written

from midair.daemon.flags import FlagService
from midair.errors import RuntimeTrouble
from midair.model.action import RemoveReplica, StartReplica
from midair.model.ids import replica_id
from midair.model.project import HealthCheck, Hook, Port, Ready, Revision, Service
from midair.runtime.process import record
from midair.runtime.process.layout import Layout
from midair.testing.runtime_contract import eventually

REPLICA = "web/0123abcd/0"
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def test_a_replica_gets_its_port_and_names_and_the_services_environment(harness):
    async def claim():
        async with harness.open() as runtime:
            script = (
                "import os, sys, time; [print(f'{k}={v}') for k, v in os.environ.items()]; print('args', *sys.argv[1:])"
            )
            script += "; print(os.getcwd(), flush=True); time.sleep(60)"
            command = (sys.executable, "-c", script, "$PORT", "$HOME")
            service = harness.service(*command, environment={"A": "b c", "discovery.type": "single-node"})
            revision = await harness.revision_of(service, runtime)
            revision = msgspec.structs.replace(revision, shell={"PATH": os.environ["PATH"], "COLOUR": "blue"})
            await runtime.perform(StartReplica(REPLICA), revision)
            seen = await eventually(runtime, REPLICA, lambda seen: seen.state == "ready")
            port = seen.address.removeprefix("127.0.0.1:")
            text = await written(harness, str(revision.release))
        given = {
            "A=b c",
            "discovery.type=single-node",
            "COLOUR=blue",
            f"PORT={port}",
            "MIDAIR_SERVICE=web",
            f"MIDAIR_REPLICA={REPLICA}",
        }
        assert given | {"MIDAIR_REVISION=0123abcd"} <= set(text.splitlines())
        assert f"args {port} $HOME" in text

    prove(claim)


def test_a_replica_is_the_leader_of_its_own_session_and_has_no_input(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "cat; exec sleep 60"))
            assert os.getsid(seen.pid) == os.getpgid(seen.pid) == seen.pid
            outputs = {os.readlink(f"/proc/{seen.pid}/fd/{number}") for number in (1, 2)}
            assert len(outputs) == 1
            assert outputs.pop().startswith("pipe:")

    prove(claim)


def test_each_attempt_has_a_port_of_its_own_and_one_log(harness):
    async def claim():
        async with harness.open() as runtime:
            service = shell(harness, "echo on $PORT; exit 1")
            first = await harness.start(runtime, service, until="exited")
            revision = await harness.revision_of(service, runtime)
            await runtime.perform(StartReplica(REPLICA, attempt=2), revision)
            second = await eventually(runtime, REPLICA, lambda seen: (seen.state, seen.attempt) == ("exited", 2))
            assert first.address != second.address
            assert len((await written(harness, "on ")).splitlines()) == 2
            assert first.detail.endswith(f"exited with code 1: on {first.address.split(':')[1]}")

    prove(claim)


@pytest.mark.parametrize("form", ["on PATH", "by path"])
def test_a_missing_command_is_named(harness, form):
    async def claim():
        program = {"on PATH": "no-such-program", "by path": "./no-such-program"}[form]
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.service(program), until="exited")
            assert (seen.exit_code, seen.ready_at) == (127, None)
            assert seen.detail == f'exited with code 127: command "{program}" was not found'

    prove(claim)


def test_a_missing_interpreter_is_named(harness):
    async def claim():
        wanted = service(harness, "printf '#!/nosuch/python\\n' > tool; chmod +x tool")
        async with harness.open() as runtime:
            seen = await harness.start(runtime, msgspec.structs.replace(wanted, command=("./tool",)), until="exited")
            assert seen.detail == (
                'exited with code 127: command "./tool" needs the interpreter "/nosuch/python", which does not exist'
            )

    prove(claim)


def test_a_missing_folder_is_named_and_leaves_no_record(harness):
    async def claim():
        service = shell(harness, "true", working_dir="nowhere")
        async with harness.open() as runtime:
            with pytest.raises(RuntimeTrouble, match=r'cannot start replica .*nowhere" does not exist'):
                await harness.start(runtime, service)
            assert await runtime.observe() == ()
            assert not (Layout(harness.home, "shop").replica(REPLICA) / record.FILE).exists()

    prove(claim)


def test_a_start_that_fails_can_be_tried_again(harness, monkeypatch):
    def failing(*_, **__):
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    async def claim():
        async with harness.open() as runtime:
            service = harness.code_service()
            await harness.start(runtime, harness.service("false"), until="exited")
            for attempt in (1, 2):
                with monkeypatch.context() as patched:
                    patched.setattr(subprocess, "Popen", failing)
                    with pytest.raises(RuntimeTrouble, match="Resource temporarily unavailable"):
                        await harness.start(runtime, service, number=2 - attempt, attempt=attempt)
            assert [seen.attempt for seen in await runtime.observe()] == [1]
            assert (await harness.start(runtime, service, attempt=2)).attempt == 2
            assert (await harness.start(runtime, service, number=1)).attempt == 1

    prove(claim)


def test_a_full_disk_starts_nothing_and_says_so(harness, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def claim():
        async with harness.open() as runtime:
            revision = await harness.revision_of(harness.code_service(), runtime)
            with monkeypatch.context() as patched:
                patched.setattr(record, "write", full)
                with pytest.raises(RuntimeTrouble, match="No space left on device"):
                    await runtime.perform(StartReplica(REPLICA), revision)
            assert harness.marked() == []
            assert await runtime.observe() == ()

    prove(claim)


def test_a_full_disk_does_not_keep_a_replica_from_being_stopped(harness, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.code_service())
            monkeypatch.setattr(record, "write", full)
            assert (await harness.stop(runtime, seen.id)).exit_code == -15

    prove(claim)


def test_a_killed_replica_is_noticed_at_once(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.code_service())
            os.kill(seen.pid, 9)
            killed = time.monotonic()
            after = await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            assert time.monotonic() - killed < 1
            assert (after.exit_code, after.detail) == (-9, "killed by SIGKILL")

    prove(claim)


@pytest.mark.parametrize("how", ["in its session", "in a session of their own"])
def test_what_an_ended_replica_leaves_behind_is_killed(harness, how):
    setsid = "setsid" if how == "in a session of their own" else ""

    async def claim():
        async with harness.open() as runtime:
            service = shell(harness, f"{setsid} sleep 61 & {setsid} sleep 62 & sleep 0.3; exit 0")
            seen = await harness.start(runtime, service)
            assert len(harness.marked()) >= 3
            await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            assert harness.marked() == []

    prove(claim)


def test_what_a_replica_left_behind_without_a_daemon_is_killed_by_the_next(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "sleep 61 & exec sleep 62"))
        os.kill(seen.pid, 9)
        assert harness.marked()
        async with harness.open() as runtime:
            await eventually(runtime, seen.id, lambda seen: seen.state == "exited")
            assert harness.marked() == []

    prove(claim)


def test_a_replica_is_not_ready_before_its_post_start_hooks_are_through(harness):
    async def claim():
        hook = Hook(
            ("/bin/sh", "-c", "sleep 0.3; echo $A $1 $(pwd) >> $LOG", "x", "$PORT"), {"A": "b"}, working_dir="/"
        )
        service = msgspec.structs.replace(
            harness.code_service(), post_start=(hook,), environment={"LOG": str(harness.log())}
        )
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service)
            assert harness.log().read_text() == f"b {seen.address.split(':')[1]} /\n"

    prove(claim)


def test_a_post_start_hook_that_fails_ends_the_replica_as_failed(harness):
    async def claim():
        trapped = harness.home / "trapped"  # before that the stop signal would kill it
        script = f"trap 'exit 0' TERM; touch {trapped}; while :; do sleep 0.02; done"
        hook = f"while ! [ -e {trapped} ]; do sleep 0.02; done; echo no migration; exit 4"
        service = shell(harness, script, post_start=(Hook(("/bin/sh", "-c", hook)),))
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service, until="exited")
            assert seen.exit_code == 1
            assert seen.detail == 'post_start failed: "/bin/sh" ended with code 4: no migration'
            assert seen.ready_at is None

    prove(claim)


def test_reason_names_the_port_that_is_listened_on(harness):
    async def claim():
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        # The shell stays: the process that listens is not the leader.
        script = f"{sys.executable} -m http.server --bind 127.0.0.1 {port}; true"
        for checked in ({}, {"ready": Ready(http="/")}, {"healthcheck": HealthCheck(("CMD-SHELL", "exit 7"))}):
            async with harness.open() as runtime:
                wrong = replace(shell(harness, script), ports=(Port(8000, 8000),), **checked)
                seen = await harness.start(runtime, wrong, until="starting")
                seen = await eventually(runtime, seen.id, lambda seen: "it listens" in seen.detail)
                assert seen.detail.endswith(f": it listens on {port}, not on $PORT")

    prove(claim)


def test_a_removed_replica_leaves_its_log_alone(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "echo hello"), until="exited")
            assert runtime.log_files("web") == ((REPLICA, str(harness.log())),)
            await runtime.perform(RemoveReplica(seen.id), None)
            assert not Layout(harness.home, "shop").replica(REPLICA).exists()
            assert printed(harness.log()) == "hello\n"
            assert runtime.log_files("web") == ((REPLICA, str(harness.log())),)
            assert runtime.log_files("other") == ()

    prove(claim)


def test_the_last_replica_of_a_revision_takes_its_folders_along(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = [await harness.start(runtime, shell(harness, "true"), number=n, until="exited") for n in (0, 1)]
            layout = Layout(harness.home, "shop")
            await runtime.perform(RemoveReplica(seen[0].id), None)
            assert layout.replica(seen[1].id).exists()
            await runtime.perform(RemoveReplica(seen[1].id), None)
            assert list(layout.replicas.iterdir()) == []

    prove(claim)


def test_a_deleted_log_folder_is_made_again(harness):
    async def claim():
        async with harness.open() as runtime:
            await harness.start(runtime, shell(harness, "echo one"), until="exited")
            shutil.rmtree(Layout(harness.home, "shop").logs)
            await harness.start(runtime, shell(harness, "echo two"), number=1, until="exited")
            assert printed(harness.log("web/0123abcd/1")) == "two\n"

    prove(claim)


def test_files_about_a_replica_are_for_its_owner_alone(harness):
    async def claim():
        async with harness.open() as runtime:
            assert await runtime.fingerprint(harness.code_service())
            await harness.start(runtime, shell(harness, "exec sleep 60"))
        layout = Layout(harness.home, "shop")
        for path in (layout.replica(REPLICA) / record.FILE, layout.digests, harness.log()):
            assert path.stat().st_mode & 0o777 == 0o600
        for folder in (layout.replicas, layout.logs, layout.replica(REPLICA), layout.folder, layout.blobs):
            assert folder.stat().st_mode & 0o077 == 0, folder

    prove(claim)


@root
def test_a_replica_runs_as_the_user_that_was_named(harness):
    async def claim():
        nobody = pwd.getpwnam("nobody")
        async with harness.open() as runtime:
            hook = Hook(("/bin/sh", "-c", "test $(id -un) = nobody"))
            service = shell(harness, "cat app.py; exec sleep 60", user="nobody", post_start=(hook,))
            seen = await harness.start(runtime, service)
            await written(harness, "serve_forever")
            assert os.stat(f"/proc/{seen.pid}").st_uid == nobody.pw_uid
            assert harness.home.stat().st_mode & 0o066 == 0

    for folder in (harness.home, harness.home.parent, harness.home.parent.parent, harness.home.parent.parent.parent):
        folder.chmod(0o711)
    prove(claim)


@root
def test_a_replica_of_another_user_reaches_its_code_and_its_flags(harness):
    async def claim():
        async with harness.open() as runtime:
            flags = FlagService(harness.home)
            flags.tell("shop", {})
            script = (
                'test -r "$PWD/app.py" && echo code; socket=${MIDAIR_FLAGS#unix:}; test -w "${socket%#*}" && echo flags'
            )
            await harness.start(runtime, shell(harness, script, user="nobody"), until="exited")
            await flags.close()
            assert printed(harness.log()).split() == ["code", "flags"]

    for folder in (harness.home, harness.home.parent, harness.home.parent.parent, harness.home.parent.parent.parent):
        folder.chmod(0o711)
    before = os.umask(0o077)
    try:
        prove(claim)
    finally:
        os.umask(before)


def test_an_unknown_user_is_named(harness):
    async def claim():
        async with harness.open() as runtime:
            with pytest.raises(RuntimeTrouble, match='there is no user "nosuchuser"'):
                await harness.start(runtime, shell(harness, "true", user="nosuchuser"))
            (reason,) = await runtime.check(shell(harness, "true", user="nosuchuser"))
            assert reason.startswith('cannot start service "web": ')

    prove(claim)


def test_a_service_without_a_build_runs_where_it_is(harness):
    async def claim():
        async with harness.open() as runtime:
            service = Service(name="web", command=(sys.executable, "app.py", "good"), ports=(Port(1, 1),))
            for folder, shell_folder in ((str(harness.code), "/"), (None, str(harness.code))):
                found = msgspec.structs.replace(service, working_dir=folder)
                revision = Revision("0123abcd", found, shell={"PATH": os.environ["PATH"], "PWD": shell_folder})
                replica = replica_id("web", "0123abcd", int(folder is None))
                await runtime.perform(StartReplica(replica), revision)
                await eventually(runtime, replica, lambda seen: seen.state == "ready")
            assert await runtime.fingerprint(service) is None
            assert await runtime.prepare(service, print) is None

    prove(claim)
