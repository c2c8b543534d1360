"""The Docker runtime keeps the contract of every runtime, on a real engine."""

import json
import time

import pytest
from tests.docker import engine as engines
from tests.runtime.contract_app import APP

from midair.model.action import StartReplica
from midair.model.ids import replica_id
from midair.model.project import Build, HealthCheck, Port, Project, Restart, Revision, Service
from midair.runtime.docker.runtime import DockerRuntime
from midair.testing.runtime_contract import RuntimeContract, eventually

pytestmark = [pytest.mark.docker]

PROBE = "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/', timeout=1)"


class DockerHarness:
    """The Docker runtime with a project of its own."""

    def __init__(self, folder, engine):
        self.folder = folder
        self.project = f"contract{abs(hash(folder)) % 10**8}"
        self.code = folder / "code"
        self.code.mkdir()
        (self.code / "app.py").write_text(APP)
        (self.code / "Dockerfile").write_text(f"FROM {engines.IMAGE}\nCOPY app.py /app.py\n")

    def runtime(self):
        return DockerRuntime(self.project, self.folder, time.time)

    def service(self, *command, **fields):
        build = Build(str(self.code))
        return Service(name="web", runtime="docker", build=build, command=command, ports=(Port(8000, 8000),), **fields)

    def code_service(self):
        return self.service("python3", "/app.py", "good")

    def change_code(self):
        with (self.code / "app.py").open("a") as file:
            file.write("# changed\n")

    def uncallable_service(self):
        return Service(name="web", runtime="docker")

    async def revision(self, kind, runtime):
        health = {"test": ["CMD", "python3", "-c", PROBE], "interval": "300ms", "timeout": "2s", "retries": 2}
        extra = {"fields": {"healthcheck": health}} if kind == "sick" else {}
        if kind == "broken":
            extra["restart"] = Restart("none")  # else the engine starts it again before the test can look
        if kind == "sick":
            extra["healthcheck"] = HealthCheck(tuple(health["test"]), 0.3, 2.0, 2)
        service = self.service("python3", "/app.py", kind, **extra)
        await runtime.arrange(Project(name=self.project, services={"web": service}, folder=str(self.folder)))
        release = await runtime.prepare(service, lambda line: None)
        return Revision("0123abcd", service, release=release)


class TestDockerContract(RuntimeContract):
    @pytest.fixture(autouse=True)
    def _engine(self, engine, monkeypatch):
        monkeypatch.setenv("DOCKER_HOST", engine.host)
        self.engine = engine
        yield
        for name in engine.docker("network", "ls", "--format", "{{.Name}}").split():
            if name.startswith("contract"):
                engine.docker("network", "rm", name, check=False)

    def harness(self, folder):
        return DockerHarness(folder, self.engine)

    def test_a_container_that_was_made_and_never_started_is_made_anew(self, tmp_path):
        async def claim(harness, runtime):
            good = await harness.revision("good", runtime)
            before = replica_id("web", good.id, 0)
            await runtime.perform(StartReplica(before), good)
            await runtime.close()
            made = self.engine.docker("ps", "-q", "--filter", f"label=io.midair.replica={before}")
            labels = [f"--label={key}={value}" for key, value in labels_of(self.engine, made).items()]
            self.engine.docker("rm", "-f", made)
            self.engine.docker("create", *labels, engines.IMAGE, "true")  # as a daemon leaves it that dies then
            successor = harness.runtime()
            await successor.open()
            try:
                assert await successor.observe() == ()
                await successor.perform(StartReplica(before), good)
                await eventually(successor, before, lambda seen: seen.state == "ready")
            finally:
                await successor.close()

        self._prove(claim, tmp_path)

    def test_what_the_engine_started_again_gets_no_twin(self, tmp_path):
        async def claim(harness, runtime):
            good = await harness.revision("good", runtime)
            one = replica_id("web", good.id, 0)
            await runtime.perform(StartReplica(one), good)
            await eventually(runtime, one, lambda seen: seen.state == "ready")
            blind = harness.runtime()
            await blind.open()
            try:
                blind.in_force(Project(name=harness.project, services={"web": good.service}))
                await forget_news(blind)
                [container] = made = containers_of(self.engine, one)
                self.engine.docker("stop", "-t", "0", container)
                await blind._containers.look()
                self.engine.docker("start", container)  # as an engine does that begins
                await blind.perform(StartReplica(one, attempt=9), good)
                assert containers_of(self.engine, one) == made
            finally:
                await blind.close()
            for _ in range(2):
                await runtime.perform(StartReplica(one), good)
            assert containers_of(self.engine, one) == made

        self._prove(claim, tmp_path)


async def forget_news(runtime):
    """From now on it knows only what it looks at."""
    for task in runtime._containers._tasks:
        task.cancel()


def containers_of(engine, replica):
    return engine.docker("ps", "-aq", "--no-trunc", "--filter", f"label=io.midair.replica={replica}").split()


def labels_of(engine, container):
    return json.loads(engine.docker("inspect", "-f", "{{json .Config.Labels}}", container))
