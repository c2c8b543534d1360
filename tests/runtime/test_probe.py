"""Questions to replicas: what counts as an answer, and what is said without one."""

import asyncio
import os
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.runtime.place import no_descriptors

from midair.model.project import HealthCheck, Ready
from midair.runtime.ask import ask_http, ask_tcp
from midair.runtime.process import command, spawn
from midair.runtime.process.command import Command
from midair.runtime.process.probe import ask_command, probe_of
from midair.runtime.process.user import User
from midair.testing.runtime_contract import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"], "PORT": "4711"}
BASE = Command((), ENVIRONMENT, Path("/"), 5.0)


@asynccontextmanager
async def answering(*parts, pause=0.0):
    """A server that answers each connection with these bytes; gives its port and the requests it got."""
    requests, handlers = [], []

    async def answer(reader, writer):
        handlers.append(asyncio.current_task())
        requests.append(await reader.read(4096))
        with suppress(OSError, asyncio.CancelledError):
            for part in parts:
                writer.write(part)
                await asyncio.sleep(pause)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], requests
    for handler in handlers:
        handler.cancel()
    await asyncio.gather(*handlers, return_exceptions=True)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.0 302\r\nLocation: /login\r\n\r\n", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "GET /well answered 404"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "GET /well answered 503"),
        (b"SSH-2.0-OpenSSH\r\n", "GET /well failed: the answer is not HTTP"),
        (b"HTTP/1.1 abcd\r\n", "GET /well failed: the answer is not HTTP"),
        (b"x" * 200_000, "GET /well failed: the answer is not HTTP"),
        (b"", "GET /well failed: the connection was closed"),
    ],
)
def test_an_answer_below_400_is_a_good_one(answer, said):
    async def claim():
        async with answering(answer) as (port, requests):
            assert await ask_http(port, "/well", 2.0) == said
            assert requests[0].startswith(b"GET /well HTTP/1.1\r\nHost: localhost\r\n")
            assert b"Connection: close" in requests[0]

    asyncio.run(claim())


def test_host_and_headers_of_a_check_are_sent():
    async def claim():
        async with answering(b"HTTP/1.1 204 No\r\n\r\n") as (port, requests):
            assert (
                await ask_http(port, "/", 2.0, host="shop.example", headers={"X-Check": "1", "accept": "text/html"})
                == ""
            )
            head = requests[0].decode()
            assert head.startswith("GET / HTTP/1.1\r\nHost: shop.example\r\n")
            assert "X-Check: 1\r\n" in head
            assert "Accept: text/html\r\n" in head
            assert "*/*" not in head

    asyncio.run(claim())


def test_an_answer_that_comes_too_late_is_none():
    async def claim():
        async with answering(b"HTTP/1.1 200", b" OK\r\n\r\n", pause=2.0) as (port, _):
            assert await ask_http(port, "/", 0.2) == "GET / failed: no answer within 0.2s"

    asyncio.run(claim())


def test_a_port_that_nobody_listens_on_is_named():
    async def claim():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            assert await ask_tcp(port, 1.0) == ""
        assert await ask_tcp(port, 1.0) == f"nothing accepts connections on port {port}: connection refused"
        assert await ask_http(port, "/", 1.0) == "GET / failed: connection refused"

    asyncio.run(claim())


@pytest.mark.parametrize(
    ("check", "said"),
    [
        (HealthCheck(("CMD", "true")), ""),
        (HealthCheck(("CMD", "test", "$PORT", "=", "4711")), ""),
        (HealthCheck(("CMD-SHELL", "test '$PORT' != \"$PORT\"")), ""),
        (HealthCheck(("CMD-SHELL", "echo no disk; exit 2")), "its check ended with code 2: no disk"),
        (HealthCheck(("CMD", "no-such-program")), '"no-such-program" could not be run: No such file or directory'),
        (HealthCheck(("CMD", "sleep", "60"), timeout_s=0.2), '"sleep" did not end within 0.2s'),
        (Ready(command=("sh", "-c", "exit $0", "${PORT}"), timeout_s=5), '"exit" ended with code 103'),
    ],
)
def test_a_command_that_ends_with_0_is_a_good_answer(check, said):
    async def claim():
        kind = "ready" if isinstance(check, Ready) else "healthcheck"
        assert await probe_of(kind, check, BASE, {"PORT": "4711"} | dict.fromkeys(NAMES, "x"), 1)() == said

    asyncio.run(claim())


NAMES = ("MIDAIR_SERVICE", "MIDAIR_REPLICA", "MIDAIR_REVISION")


def test_a_command_that_takes_too_long_is_killed_with_all_it_started(tmp_path):
    async def claim():
        script = f"sleep 61 & echo $! > {tmp_path}/child; sleep 62"
        began = time.monotonic()
        assert await ask_command(Command(("/bin/sh", "-c", script), ENVIRONMENT, Path("/"), 0.3))
        assert time.monotonic() - began < 5
        child = int((tmp_path / "child").read_text())
        while Path(f"/proc/{child}").exists() and " Z " not in Path(f"/proc/{child}/stat").read_text():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    asyncio.run(claim())


def test_descriptors_are_given_back(harness):
    async def claim():
        async with harness.open() as runtime:
            before = len(os.listdir("/dev/fd"))
            for number in range(5):
                seen = await harness.start(runtime, harness.service("true"), number=number, until="exited")
                assert seen.exit_code == 0
            assert len(os.listdir("/dev/fd")) == before

    asyncio.run(claim())


def test_both_checks_have_to_pass_and_each_is_asked_one_question_at_a_time(harness):
    async def claim():
        log = harness.home / "asked"
        script = f"echo begin >> {log}; sleep 0.15; echo end >> {log}; test -e {harness.home}/well"
        check = HealthCheck(("CMD-SHELL", script), interval_s=0.05, retries=1000)
        service = replace(harness.code_service(), healthcheck=check, ready=Ready(http="/"))
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service, until="starting")
            await asyncio.sleep(1)
            (seen,) = await runtime.observe()
            assert seen.state == "starting"
            assert seen.detail == "its check ended with code 1"
            (harness.home / "well").touch()
            await eventually(runtime, seen.id, lambda seen: seen.state == "ready")
            lines = log.read_text().split()
            assert lines[:-1:2] == ["begin"] * len(lines[:-1:2])
            assert set(lines[1::2]) == {"end"}

    asyncio.run(claim())


def test_a_replica_that_becomes_well_again_is_ready_again(harness):
    async def claim():
        well = harness.home / "well"
        well.touch()
        check = HealthCheck(("CMD", "test", "-e", str(well)), interval_s=0.05, retries=2)
        async with harness.open() as runtime:
            first = await harness.start(runtime, harness.service("sleep", "60", healthcheck=check))
            well.unlink()
            sick = await eventually(runtime, first.id, lambda seen: seen.state == "unhealthy")
            assert sick.detail == '"test" ended with code 1'
            well.touch()
            again = await eventually(runtime, first.id, lambda seen: seen.state == "ready")
            assert again.ready_at == first.ready_at
            assert again.since > sick.since > first.since

    asyncio.run(claim())


def test_a_changed_check_is_asked_without_touching_the_process(harness):
    async def claim():
        bad = HealthCheck(("CMD", "false"), interval_s=0.05, retries=2)
        good = HealthCheck(("CMD", "true"), interval_s=0.05, retries=2)
        service = harness.service("sleep", "60", healthcheck=good)
        async with harness.open() as runtime:
            seen = await harness.start(runtime, service)
            revision = await harness.revision_of(service, runtime)
            for check, state in ((bad, "unhealthy"), (good, "ready")):
                await runtime.adapt(replace(revision, service=replace(service, healthcheck=check)))
                after = await eventually(runtime, seen.id, lambda seen, state=state: seen.state == state)
                assert (after.pid, after.attempt) == (seen.pid, 1)
            await runtime.adapt(replace(revision, service=replace(service, healthcheck=bad)))
        async with harness.open() as runtime:
            await eventually(runtime, seen.id, lambda seen: seen.state == "unhealthy")

    asyncio.run(claim())


def test_a_check_that_prints_needs_no_disk():
    async def claim():
        script = "ulimit -f 0; echo well || exit 1"  # no file may grow: as on a full disk
        check = HealthCheck(("CMD-SHELL", script))
        assert await probe_of("healthcheck", check, BASE, {"PORT": "4711"} | dict.fromkeys(NAMES, "x"), 1)() == ""

    asyncio.run(claim())


def test_only_the_last_of_what_a_check_says_is_kept(tmp_path):
    async def claim():
        other = tmp_path / "other"
        script = f"setsid sh -c 'echo $$ > {other}; exec yes' & seq 1 100000; until [ -s {other} ]; do :; done; exit 3"
        ended = await command.run(Command(("/bin/sh", "-c", script), ENVIRONMENT, Path("/"), 20.0))
        assert ended.code == 3
        assert len(ended.output) <= 4096

    try:
        asyncio.run(claim())
    finally:
        with suppress(ProcessLookupError):  # the pipe it wrote to is gone
            os.kill(int((tmp_path / "other").read_text()), 9)


def test_a_replica_is_ready_whatever_its_arguments_are(harness):
    async def claim():
        async with harness.open() as runtime:
            service = harness.service(sys.executable, "-c", "import time; time.sleep(60)", "midair", "-d")
            await harness.start(runtime, service, until="ready")

    asyncio.run(claim())


def test_midairs_own_steps_before_the_command_are_not_the_command():
    own = ("/bin/sh", "-c", spawn._WRAPPER, "midair", "pid.1", "sleep", "60")
    become = (*User(1, 1).prefix, "sleep", "60")
    for words, begun in ((own, False), (become, False), (("sleep", "60"), True), ((), False)):
        assert spawn.has_become("\0".join((*words, "")).encode()) is begun


def test_a_replica_is_asked_again_after_a_question_that_could_not_be_asked(harness):
    async def claim():
        well = harness.home / "well"
        check = HealthCheck(("CMD", "test", "-e", str(well)), interval_s=0.05, retries=1000)
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.service("sleep", "60", healthcheck=check), until="starting")
            with no_descriptors():
                await eventually(runtime, seen.id, lambda seen: "Too many open files" in seen.detail)
            well.touch()
            await eventually(runtime, seen.id, lambda seen: seen.state == "ready")

    asyncio.run(claim())
