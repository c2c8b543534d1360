"""Commands beside replicas, as real processes: what they get, and that nothing of them stays behind."""

import asyncio
import contextlib
import os
import time

import pytest
from tests.runtime.place import prove, shell

from midair.model.command import Command
from midair.model.project import Port
from midair.runtime.process.leftover import find_marked
from midair.runtime.process.ports import free_port


async def output(session):
    """All that it prints, and its exit code."""
    parts = [part async for part in _parts(session)]
    code = await session.wait()
    await session.close()
    return b"".join(data for is_error, data in parts if not is_error).decode(), code


async def _parts(session):
    while (part := await session.read()) is not None:
        yield part


@contextlib.asynccontextmanager
async def beside_a_replica(harness):
    """The runtime, with a replica of "web" that does nothing."""
    async with harness.open() as runtime:
        await harness.start(runtime, shell(harness, "sleep 60"))
        yield runtime


async def exec_in(runtime, script, replica="web/0123abcd/0", **fields):
    return await runtime.exec(replica, Command(("sh", "-c", script), **fields))


def living(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def gone(pid, within):
    deadline = time.monotonic() + within
    while living(pid):
        assert time.monotonic() < deadline, "it is still there"
        await asyncio.sleep(0.02)


def test_command_gets_folder_and_environment_of_replica(harness):
    async def claim():
        async with harness.open() as runtime:
            service = shell(harness, "sleep 60", environment={"COLOUR": "red"}, working_dir="deep")
            (harness.code / "deep").mkdir()
            (harness.code / "deep" / "file").touch()
            seen = await harness.start(runtime, service)
            script = 'echo "$COLOUR $MIDAIR_REPLICA $PORT $MORE $MIDAIR_HOME"; ls'
            text, code = await output(await exec_in(runtime, script, environment={"MORE": "1"}))
            port = seen.address.rpartition(":")[2]
            assert (text, code) == (f"red web/0123abcd/0 {port} 1 \nfile\n", 0)

    prove(claim)


def test_one_more_process_is_no_replica(harness):
    async def claim():
        async with harness.open() as runtime:
            service = shell(harness, 'echo "$MIDAIR_SERVICE $MIDAIR_REVISION"; exit 3')
            revision = await harness.revision_of(service, runtime)
            session = await runtime.run(revision, Command(()), publish=False)
            assert await runtime.observe() == ()
            assert await output(session) == ("web 0123abcd\n", 3)

    prove(claim)


def test_port_is_published_for_service_ports_alone(harness):
    async def claim():
        published = free_port(())
        async with harness.open() as runtime:
            service = shell(harness, 'echo "$PORT"', ports=(Port(published, 80),))
            revision = await harness.revision_of(service, runtime)
            text, _ = await output(await runtime.run(revision, Command(()), publish=True))
            assert text == f"{published}\n"
            text, _ = await output(await runtime.run(revision, Command(()), publish=False))
            assert text != f"{published}\n"

    prove(claim)


def test_all_that_command_has_started_ends_with_it(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            script = "trap '' TERM; env -i setsid sh -c 'trap \"\" TERM; echo $$; sleep 60' & sleep 60"
            session = await exec_in(runtime, script)
            escaped = int((await session.read())[1])
            await session.close()
            assert await session.wait() == 137
            assert not living(escaped)
            text, code = await output(await exec_in(runtime, "sleep 61 >/dev/null 2>&1 & echo $!"))
            assert code == 0
            assert not living(int(text))

    prove(claim)


def test_command_ends_with_its_replica(harness):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, shell(harness, "sleep 60"))
            session = await exec_in(runtime, "echo begun; sleep 60")
            await session.read()
            await harness.stop(runtime, seen.id)
            assert await asyncio.wait_for(session.wait(), 5) == 143
            await session.close()

    prove(claim)


def test_killed_attendant_leaves_nothing_behind(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            session = await exec_in(runtime, "echo $PPID $$; sleep 60")
            attendant, command = map(int, (await session.read())[1].split())
            os.kill(attendant, 9)
            assert await session.wait() == 137
            await session.close()
            await gone(command, 0)
            assert find_marked(session._mark) == []

    prove(claim)


def test_terminal_has_a_size_and_hangs_up(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            script = "trap 'stty size' WINCH; stty size; while :; do sleep 0.05; done"
            session = await exec_in(runtime, script, tty=True, rows=30, columns=100)
            assert (await session.read())[1] == b"30 100\r\n"
            await session.resize(40, 120)
            assert (await session.read())[1] == b"40 120\r\n"
            await session.write(b"\x03")
            await session.read()
            assert await session.wait() == 130
            await session.close()

    prove(claim)


def test_signal_reaches_whole_group_of_command(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            session = await exec_in(runtime, "cat; echo never")
            # An echo shows that cat runs: a shell that is just starting it can swallow the signal.
            await session.write(b"begun")
            await session.read()
            await session.signal("SIGINT")
            assert await output(session) == ("", 130)

    prove(claim)


def test_output_that_is_not_read_holds_command_up(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            session = await exec_in(runtime, "head -c 3000000 /dev/zero; echo done >&2")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.wait(), 0.3)
            text, code = await output(session)
            assert (len(text), code) == (3000000, 0)

    prove(claim)


def test_input_waits_until_command_takes_it(harness):
    async def claim():
        async with beside_a_replica(harness) as runtime:
            session = await exec_in(runtime, "read line; wc -c")
            writing = asyncio.create_task(session.write(b"line\n" + bytes(3_000_000)))
            assert await asyncio.wait_for(_counted(session, writing), 10) == "3000000"

    prove(claim)


async def _counted(session, writing):
    await writing
    await session.close_input()
    text, _ = await output(session)
    return text.strip()
