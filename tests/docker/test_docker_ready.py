"""`x-midair.ready` is asked from outside, or inside the container, for as long as a replica runs."""

import asyncio

import pytest
from msgspec.structs import replace
from tests.docker.test_docker_contract import DockerHarness

from midair.model.action import RemoveReplica, StartReplica, StopReplica
from midair.model.ids import replica_id
from midair.model.project import Project, Ready, Revision
from midair.testing.runtime_contract import eventually

pytestmark = [pytest.mark.docker, pytest.mark.slow]

ID = replica_id("web", "0123abcd", 0)
FILE = ("python3", "-c", "import os, sys; sys.exit(os.path.exists('/tmp/sick'))")


@pytest.mark.parametrize(
    ("kind", "ready"),
    [
        ("sick", Ready(http="/", interval_s=0.2, timeout_s=1.0, retries=2)),
        ("good", Ready(command=FILE, interval_s=0.2, timeout_s=5.0, retries=2)),
    ],
)
def test_a_replica_that_stops_answering_its_check_is_unhealthy(tmp_path, engine, monkeypatch, kind, ready):
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    asyncio.run(falls_ill(tmp_path, engine, kind, ready))


async def falls_ill(tmp_path, engine, kind, ready):
    harness = DockerHarness(tmp_path, engine)
    runtime = harness.runtime()
    await runtime.open()
    try:
        service = replace(harness.service("python3", "/app.py", kind), ready=ready)
        project = Project(name=harness.project, services={"web": service}, folder=str(tmp_path))
        await runtime.arrange(project)
        runtime.in_force(project)
        revision = Revision("0123abcd", service, release=await runtime.prepare(service, lambda line: None))
        await runtime.perform(StartReplica(ID), revision)

        await eventually(runtime, ID, is_in("ready"))
        container = engine.docker("ps", "-q", "--filter", f"label=com.docker.compose.project={harness.project}")
        engine.docker("exec", container, "python3", "-c", "open('/tmp/sick', 'w')")
        await eventually(runtime, ID, is_in("unhealthy"))
        assert (await runtime.observe())[0].detail
        await runtime.perform(StopReplica(ID, grace_s=1.0), None)
        await eventually(runtime, ID, is_in("exited"))
        await runtime.perform(RemoveReplica(ID), None)
        runtime.in_force(replace(project, services={}))
        await runtime.prune(set())
    finally:
        await runtime.close()
    assert harness.project not in engine.docker("network", "ls") + engine.docker("images")


def is_in(state):
    return lambda seen: seen.state == state
