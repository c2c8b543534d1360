"""Real processes for the tests of the process runtime, and the certainty that none is left behind."""

import sys
import time
from contextlib import asynccontextmanager

import msgspec
import pytest
from tests.runtime.contract_app import APP

from midair.model.action import StartReplica, StopReplica
from midair.model.ids import replica_id
from midair.model.project import Build, Port, Ready, Revision, Service
from midair.runtime.process.layout import Layout
from midair.runtime.process.leftover import find_marked, kill_strays
from midair.runtime.process.runtime import ProcessRuntime
from midair.testing.runtime_contract import eventually


class ProcessHarness:
    """The process runtime in a folder of its own."""

    def __init__(self, folder):
        self.home = folder / "home"
        self.code = folder / "code"
        self.home.mkdir()
        self.code.mkdir()
        (self.code / "app.py").write_text(APP)

    def runtime(self):
        return ProcessRuntime("shop", self.home, time.time)

    def service(self, *command, **fields):
        build = Build(str(self.code))
        return msgspec.structs.replace(Service(name="web", build=build, command=command), **fields)

    def code_service(self):
        return self.service(sys.executable, "app.py", "good", ports=(Port(8000, 8000),))

    def change_code(self):
        with (self.code / "app.py").open("a") as file:
            file.write("# changed\n")

    def uncallable_service(self):
        return self.service("no-such-program-anywhere")

    async def revision(self, kind, runtime):
        service = self.service(sys.executable, "-u", "app.py", kind, ports=(Port(8000, 8000),))
        if kind == "sick":
            service = msgspec.structs.replace(service, ready=Ready(http="/"))
        return await self.revision_of(service, runtime)

    async def revision_of(self, service, runtime, name="0123abcd"):
        release = await runtime.prepare(service, lambda line: None)
        return Revision(name, service, release=release)

    @asynccontextmanager
    async def open(self):
        runtime = self.runtime()
        await runtime.open()
        try:
            yield runtime
        finally:
            await runtime.close()

    async def start(self, runtime, service, *, number=0, attempt=1, until="ready"):
        revision = await self.revision_of(service, runtime)
        replica = replica_id("web", revision.id, number)
        await runtime.perform(StartReplica(replica, attempt), revision)
        return await eventually(runtime, replica, lambda seen: seen.state == until)

    async def stop(self, runtime, replica, **fields):
        await runtime.perform(StopReplica(replica, **fields), None)
        return await eventually(runtime, replica, lambda seen: seen.state == "exited")

    def marked(self, replica="web/0123abcd/0", attempt=1):
        """Pids of everything that this attempt started and that lives."""
        return find_marked(f"{Layout(self.home, 'shop').replica(replica)}#{attempt}")

    def log(self, replica="web/0123abcd/0"):
        return Layout(self.home, "shop").log(replica)

    def clean(self):
        kill_strays(lambda mark: mark.startswith(str(self.home)))


@pytest.fixture
def harness(tmp_path):
    made = ProcessHarness(tmp_path)
    yield made
    made.clean()


@pytest.fixture
def make_harness():
    return ProcessHarness


@pytest.fixture
def layout(harness):
    return Layout(harness.home, "shop")
