"""Commands in containers: in that of a replica, and in a container of their own, which is no replica."""

import asyncio
import time
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.docker.test_docker_runtime import ONE, container_of, inspected, opened, started

from midair.errors import RuntimeTrouble
from midair.model.command import Command
from midair.testing.runtime_contract import eventually

pytestmark = [pytest.mark.docker]

LABEL = "label=io.midair.session"
COPY = "import os, sys; sys.stdout.write(sys.stdin.read()); print(os.environ['MORE'], os.getcwd(), file=sys.stderr); "
SLEEP = "import time; print('begun', flush=True); time.sleep(300)  # {}"


async def output(session, data=b""):
    """All that it prints, what of that is errors, and its exit code."""
    if data:
        await session.write(data)
    await session.close_input()
    parts = []
    while (part := await session.read()) is not None:
        parts.append(part)
    code = await session.wait()
    await session.close()
    texts = (b"".join(data for is_error, data in parts if is_error == wanted).decode() for wanted in (False, True))
    return *texts, code


def python(text, **fields):
    return Command(("python3", "-c", text), **fields)


def shell(text, **fields):
    return Command(("sh", "-c", text), **fields)


def runs(word):
    """Whether a process on this machine has the word in its arguments."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in file.read_bytes():
                return True
        except OSError:
            continue
    return False


def word_of(harness, number=0):
    return f"{harness.project}-{number}-end"


def test_command_in_container_has_streams_folder_and_code(harness):
    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime)
            wanted = python(COPY + "sys.exit(3)", environment={"MORE": "1"}, working_dir="tmp")
            text, errors, code = await output(await runtime.exec(ONE, wanted), b"x" * 500_000)
            assert (len(text), errors, code) == (500_000, "1 /tmp\n", 3)
            assert (await output(await runtime.exec(ONE, Command(("no-such-program",)))))[2] in (126, 127)

    asyncio.run(claim())


def test_command_in_container_has_terminal(harness):
    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime)
            size = "import os, time; input(); print(*os.get_terminal_size(), flush=True); time.sleep(300)"
            session = await runtime.exec(ONE, python(size, tty=True, rows=30, columns=100))
            await session.resize(40, 120)
            await session.write(b"\r")
            shown = b""
            while b"120 40" not in shown:
                shown += (await session.read())[1]
            await session.write(b"\x03")
            while await session.read() is not None:
                pass
            assert await session.wait() in (1, 130)
            await session.close()

    asyncio.run(claim())


@pytest.mark.parametrize("user", ["", "1234"])
def test_command_in_container_ends_with_its_client(harness, user):
    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime)
            word = word_of(harness)
            script = f"trap '' TERM; (trap '' TERM; python3 -c \"{SLEEP.format(word)}\") & wait; wait"
            session = await runtime.exec(ONE, shell(script, user=user))
            assert (await session.read())[1].startswith(b"begun")
            assert runs(word)
            await session.close()
            assert not runs(word)

    asyncio.run(claim())


def test_commands_of_killed_daemon_are_ended_by_next(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, _ = await started(harness, runtime)
            sessions = (
                await runtime.exec(ONE, python(SLEEP.format(word_of(harness, 0)))),
                await runtime.run(made, python(SLEEP.format(word_of(harness, 1))), publish=False),
            )
            for number, session in enumerate(sessions):
                assert (await session.read())[1].startswith(b"begun")
                assert runs(word_of(harness, number))
                await session._stream.close()  # as the kernel does it when a process ends
        async with opened(harness):
            await eventually_gone(word_of(harness, 0))
            assert not runs(word_of(harness, 1))
            assert harness.engine.docker("ps", "-aq", "--filter", LABEL) == ""

    asyncio.run(claim())


async def eventually_gone(word):
    deadline = time.monotonic() + 5
    while runs(word):
        assert time.monotonic() < deadline, "it runs on"
        await asyncio.sleep(0.02)


def test_container_of_run_is_no_replica(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, container = await started(harness, runtime)
            wanted = shell("read x; echo $x $MORE; exit 4", environment={"MORE": "1"})
            session = await runtime.run(made, wanted, publish=False)
            [alone] = harness.engine.docker("ps", "-q", "--no-trunc", "--filter", LABEL).split()
            await runtime._containers.refresh(alone)
            assert [seen.id for seen in await runtime.observe()] == [ONE]
            assert container_of(harness, ONE) == container
            seen = inspected(harness, alone)
            assert not seen["HostConfig"]["PortBindings"]
            assert seen["HostConfig"]["RestartPolicy"]["Name"] == "no"
            for network in seen["NetworkSettings"]["Networks"].values():
                assert "web" not in (network["Aliases"] or [])
            assert await output(session, b"hello\n") == ("hello 1\n", "", 4)
            assert harness.engine.docker("ps", "-aq", "--filter", LABEL) == ""

    asyncio.run(claim())


def test_container_of_compose_run_is_no_replica(harness):
    async def claim():
        async with opened(harness) as runtime:
            _, container = await started(harness, runtime)
            labels = {**inspected(harness, container)["Config"]["Labels"], "com.docker.compose.oneoff": "True"}
            image = inspected(harness, container)["Image"]
            words = [f"--label={name}={value}" for name, value in labels.items() if not name.startswith("io.midair.")]
            alone = harness.engine.docker("run", "-d", *words, image, "python3", "-c", "import time; time.sleep(300)")
            await runtime._containers.refresh(alone)
            assert [seen.id for seen in await runtime.observe()] == [ONE]

    asyncio.run(claim())


def test_run_publishes_only_service_ports_that_are_free(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, _ = await started(harness, runtime)
            [port] = made.service.ports
            made = replace(made, service=replace(made.service, ports=(replace(port, host="127.0.0.1", port=18543),)))
            session = await runtime.run(made, shell("read x"), publish=True)
            with pytest.raises(RuntimeTrouble, match="cannot run a container of service"):
                await runtime.run(made, shell("read x"), publish=True)
            [alone] = harness.engine.docker("ps", "-aq", "--filter", LABEL).split()
            assert "127.0.0.1:18543" in harness.engine.docker("port", alone)
            await session.close()

    asyncio.run(claim())


def test_command_in_ended_replica_is_refused(harness):
    async def claim():
        async with opened(harness) as runtime:
            _, container = await started(harness, runtime)
            harness.engine.docker("kill", container)
            await eventually(runtime, ONE, lambda seen: seen.state != "ready")
            with pytest.raises(RuntimeTrouble, match=f'cannot exec in "{ONE}"'):
                await runtime.exec(ONE, shell("true"))

    asyncio.run(claim())
