"""What several tests of the process runtime do."""

import asyncio
import resource
import time
from contextlib import contextmanager

import msgspec

from midair.runtime.entry import of_logger


def shell(harness, script, **fields):
    return harness.service("/bin/sh", "-c", script, **fields)


def prove(claim):
    asyncio.run(claim())


def printed(log):
    """What a log holds, without the times."""
    return "\n".join(of_logger(line).text for line in log.read_text().split("\n"))


async def written(harness, wanted):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        text = printed(harness.log()) if harness.log().exists() else ""
        if wanted in text:
            return text
        await asyncio.sleep(0.02)
    raise AssertionError(f"never written: {wanted}, but: {text}")


@contextmanager
def no_descriptors():
    """This process can open nothing meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def service(harness, command=None, **fields):
    made = harness.code_service()
    build = msgspec.structs.replace(made.build, command=command, **fields)
    return msgspec.structs.replace(made, build=build)


def prepared(harness, wanted, shell=None):
    """The release of a service and what was said while it was made."""

    async def prepare():
        lines = []
        async with harness.open() as runtime:
            expected = await runtime.fingerprint(wanted)
            release = await runtime.prepare(wanted, lines.append, shell)
            assert release == expected == await runtime.fingerprint(wanted)
            assert release == await runtime.prepare(wanted, lambda line: None, shell)
        return release, lines

    return asyncio.run(prepare())


async def open_and_close(harness):
    async with harness.open():
        pass
