"""What the engine, its users and a daemon that dies do to single containers, and what the runtime makes of it."""

import asyncio
import contextlib
import json
import time

import pytest
from msgspec.structs import replace
from tests.docker import engine as engines

from midair.errors import RuntimeTrouble
from midair.model.action import RemoveReplica, StartReplica, StopReplica
from midair.model.ids import FOREIGN, replica_id
from midair.model.project import Hook, Port, Project, Restart, Revision
from midair.runtime.docker.container import anonymous_volumes
from midair.testing.runtime_contract import eventually

pytestmark = [pytest.mark.docker]

WAIT = "import time; time.sleep({})"
SLOW = Hook(("python3", "-c", WAIT.format(1.5) + "; open('/tmp/hooked', 'w')"))
HANGING = Hook(("python3", "-c", WAIT.format(600)))
FAILING = Hook(("python3", "-c", "raise SystemExit(4)"))
SLOW_END = """
import signal, sys, time

def end(*_):
    time.sleep(1)  # another signal would come in between
    sys.exit(7)

signal.signal(signal.SIGUSR1, end)
"""
ONE = replica_id("web", "0123abcd", 0)
TWIN = replica_id("web", "89abcdef", 0)  # of another revision, with the same number


@contextlib.asynccontextmanager
async def opened(harness):
    """The runtime, until it lets go."""
    runtime = harness.runtime()
    await runtime.open()
    try:
        yield runtime
    finally:
        await runtime.close()


async def revision_of(harness, runtime, **more):
    """A revision of a service that becomes ready, and a project in force that has nothing else."""
    service = harness.service("python3", "/app.py", "good", **more)
    project = Project(name=harness.project, services={"web": service}, folder=str(harness.folder))
    await runtime.arrange(project)
    runtime.in_force(project)
    return Revision("0123abcd", service, release=await runtime.prepare(service, lambda line: None))


async def started(harness, runtime, **more):
    """A replica that is ready, and its container."""
    made = await revision_of(harness, runtime, **more)
    await runtime.perform(StartReplica(ONE), made)
    await eventually(runtime, ONE, lambda seen: seen.state == "ready")
    return made, container_of(harness, ONE)


def container_of(harness, replica):
    """The one container of a replica."""
    label = f"label=io.midair.replica={replica}"
    [found] = harness.engine.docker("ps", "-aq", "--no-trunc", "--filter", label).split()
    return found


def inspected(harness, container):
    return json.loads(harness.engine.docker("inspect", container))[0]


def test_what_midair_has_stopped_is_not_the_engines_to_start(harness):
    async def claim():
        async with opened(harness) as runtime:
            _, container = await started(harness, runtime, restart=Restart("any"))
            assert inspected(harness, container)["HostConfig"]["RestartPolicy"]["Name"] != "no"
            await runtime.perform(StopReplica(ONE, "SIGTERM", 5.0), None)
            await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert inspected(harness, container)["HostConfig"]["RestartPolicy"]["Name"] == "no"

    asyncio.run(claim())


def test_a_replica_is_not_ready_before_post_start_has_ended(harness):
    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime, post_start=(SLOW,))
            await runtime.perform(StartReplica(ONE), made)
            assert inspected(harness, container_of(harness, ONE))["State"]["Status"] == "running"
            [seen] = await runtime.observe()
            assert seen.state == "starting"
        async with opened(harness) as successor:  # the first one has let go in the middle
            successor.in_force(Project(name=harness.project, services={"web": made.service}))
            await eventually(successor, ONE, lambda seen: seen.state == "ready")
            assert (
                harness.engine.docker("exec", container_of(harness, ONE), "python3", "-c", "open('/tmp/hooked')") == ""
            )

    asyncio.run(claim())


def test_a_replica_whose_post_start_fails_ends_without_ever_being_ready(harness):
    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime, post_start=(FAILING,))
            await runtime.perform(StartReplica(ONE), made)
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert seen.ready_at is None
            assert seen.exit_code not in (0, None)

    asyncio.run(claim())


def test_why_a_container_could_not_be_started_is_told(harness):
    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime)
            service = harness.service("no-such-command")
            with pytest.raises(RuntimeTrouble, match="no-such-command"):
                await runtime.perform(StartReplica(ONE), Revision(made.id, service, release=made.release))
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert "executable file not found" in seen.detail

    asyncio.run(claim())


def test_a_pre_stop_that_hangs_has_one_grace_period(harness):
    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime, pre_stop=(HANGING,))
            began = time.monotonic()
            await runtime.perform(StopReplica(ONE, "SIGTERM", 1.0), None)
            await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert 1.0 <= time.monotonic() - began < 10.0

    asyncio.run(claim())


def test_a_pre_stop_that_was_changed_is_the_one_that_runs(harness):
    async def claim():
        async with opened(harness) as runtime:
            made, container = await started(harness, runtime, pre_stop=(HANGING,))
            note = Hook(("python3", "-c", "open('/tmp/noted', 'w')"))
            await runtime.adapt(Revision(made.id, harness.service("python3", "/app.py", "good", pre_stop=(note,))))
            await runtime.perform(StopReplica(ONE, "SIGTERM", 8.0), None)
            await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            harness.engine.docker("cp", f"{container}:/tmp/noted", str(harness.folder))

    asyncio.run(claim())


@pytest.mark.parametrize(("fields", "code"), [({}, 131), ({"stop_signal": "SIGTERM"}, 0)], ids=["image", "file"])
def test_the_signal_is_the_files_or_else_the_images(harness, fields, code):
    docker_file = harness.code / "Dockerfile"
    docker_file.write_text(docker_file.read_text() + "STOPSIGNAL SIGQUIT\n")
    app = harness.code / "app.py"
    app.write_text("import signal, sys\nsignal.signal(signal.SIGQUIT, lambda *_: sys.exit(131))\n" + app.read_text())

    async def claim():
        async with opened(harness) as runtime:
            await started(harness, runtime, fields=fields)
            await runtime.perform(StopReplica(ONE, "SIGTERM", 5.0), None)
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert seen.exit_code == code

    asyncio.run(claim())


def test_a_signal_that_was_changed_is_the_only_one_that_is_sent(harness):
    app = harness.code / "app.py"
    app.write_text(SLOW_END + app.read_text())

    async def claim():
        async with opened(harness) as runtime:
            made, _ = await started(harness, runtime)
            changed = harness.service("python3", "/app.py", "good", fields={"stop_signal": "SIGUSR1"})
            runtime.in_force(Project(name=harness.project, services={"web": changed}))
            await runtime.perform(StopReplica(ONE, "SIGUSR1", 5.0), None)
            seen = await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            assert seen.exit_code == 7
            assert made.service.stop_signal == "SIGTERM"

    asyncio.run(claim())


def test_anonymous_volume_outlives_restarts_and_the_replica(harness):
    docker_file = harness.code / "Dockerfile"
    docker_file.write_text(docker_file.read_text() + "VOLUME /data\n")

    async def claim():
        async with opened(harness) as runtime:
            made, container = await started(harness, runtime, restart=Restart("none"))
            harness.engine.docker("exec", container, "python3", "-c", "open('/data/kept', 'w')")
            [volume] = anonymous_volumes(inspected(harness, container)).values()
            for attempt in (2, 3):
                harness.engine.docker("kill", container_of(harness, ONE))
                await eventually(runtime, ONE, lambda seen: seen.state == "exited")
                await runtime.perform(StartReplica(ONE, attempt), made)
                await eventually(runtime, ONE, lambda seen: seen.state == "ready")
            harness.engine.docker("exec", container_of(harness, ONE), "python3", "-c", "open('/data/kept')")
            await runtime.perform(StopReplica(ONE, "SIGTERM", 5.0), None)
            await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            await runtime.perform(RemoveReplica(ONE), None)
            assert volume in harness.engine.docker("volume", "ls", "-q")
            await runtime.perform(StartReplica(TWIN), replace(made, id="89abcdef"))
            [inherited] = anonymous_volumes(inspected(harness, container_of(harness, TWIN))).values()
            assert inherited == volume

    asyncio.run(claim())


def test_addresses_from_before_fronts_are_restored_as_they_were(harness):
    name = f"{harness.project}_midair_web"

    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime)
            old = (Port(8000, 8000, host="172.31.200.1", inside=True),)
            service = harness.service("python3", "/app.py", "good", names=old)
            runtime.in_force(Project(name=harness.project, services={"web": service}))
            await runtime._restore()
            found = json.loads(harness.engine.docker("network", "inspect", name))[0]
            assert [pool["Gateway"] for pool in found["IPAM"]["Config"]] == ["172.31.200.1"]
            await runtime.perform(StartReplica(ONE), made)
            await eventually(runtime, ONE, lambda seen: seen.state == "ready")

    asyncio.run(claim())


def test_images_of_another_project_are_left_alone(harness):
    other = f"midair/{harness.project}-eu-web:0123456789abcdef"

    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime)
            harness.engine.docker("tag", engines.IMAGE, other)
            await runtime.prune(set())
            images = harness.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
            assert other in images
            assert made.release not in images

    try:
        asyncio.run(claim())
    finally:
        harness.engine.docker("rmi", other)


def foreign(harness, number, *words):
    """A container as Docker Compose makes it."""
    labels = {"project": harness.project, "service": "web", "container-number": number, "oneoff": "False"}
    options = [f"--label=com.docker.compose.{key}={value}" for key, value in labels.items()]
    name = f"{harness.project}-web-{number}"
    return harness.engine.docker("run", "-d", "--name", name, *options, *words, "python3", "-c", WAIT.format(600))


def test_what_compose_had_made_comes_back_with_its_bytes_its_networks_and_its_policy(harness):
    docker = harness.engine.docker
    docker("tag", engines.IMAGE, "midair-test/moves")
    first = docker("images", "-q", "--no-trunc", "midair-test/moves")
    networks = [f"{harness.project}_{key}" for key in ("zz", "aa")]
    for network in networks:
        docker("network", "create", network)

    async def claim():
        container = foreign(harness, 1, "--network", networks[0], "--restart", "always", "midair-test/moves")
        docker("network", "connect", networks[1], container)
        async with opened(harness) as runtime:
            service = harness.service(restart=Restart("any"))
            runtime.in_force(Project(name=harness.project, services={"web": service}))
            [seen] = await runtime.observe()
            await runtime.perform(StopReplica(seen.id, "SIGTERM", 0.1), None)
            while await runtime.observe():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            (harness.code / "Dockerfile").write_text(f"FROM {engines.IMAGE}\nENV MOVED=1\n")
            docker("build", "-q", "-t", "midair-test/moves", str(harness.code))
            assert docker("images", "-q", "--no-trunc", "midair-test/moves") != first
            await runtime.perform(StartReplica(seen.id), Revision(FOREIGN, service, release=FOREIGN))
            clone = inspected(harness, container_of(harness, seen.id))
            assert clone["State"]["Running"]
            assert clone["Image"] == first
            assert set(clone["NetworkSettings"]["Networks"]) == set(networks)
            assert clone["HostConfig"]["NetworkMode"] == networks[0]
            assert clone["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
            await runtime.prune({FOREIGN})
            assert inspected(harness, container), "it is kept for the way back"
            await runtime.prune(set())
            assert container not in docker("ps", "-aq", "--no-trunc")

    try:
        asyncio.run(claim())
    finally:
        docker("rmi", "-f", "midair-test/moves", check=False)


def test_stopped_containers_of_compose_that_midair_never_had_are_left_alone(harness):
    async def claim():
        container = foreign(harness, 1, engines.IMAGE)
        harness.engine.docker("stop", "-t", "0", container)
        async with opened(harness) as runtime:
            await revision_of(harness, runtime)
            await runtime.prune(set())
            assert container in harness.engine.docker("ps", "-aq", "--no-trunc")

    asyncio.run(claim())


def test_removed_image_is_built_again_or_named(harness):
    async def claim():
        async with opened(harness) as runtime:
            made = await revision_of(harness, runtime)
            harness.engine.docker("rmi", made.release)
            assert await runtime.fetch(made, lambda line: None) == ""
            assert harness.engine.docker("images", "-q", made.release)
            harness.engine.docker("rmi", made.release)
            (harness.code / "app.py").write_text("other")
            assert "was removed, and its build context is another one now" in await runtime.fetch(made, lambda _: None)
            gone = replace(made, release="sha256:" + "0" * 64, service=replace(made.service, build=None, image="web:1"))
            assert await runtime.fetch(gone, lambda _: None) == 'image "web:1" of service "web" was removed'

    asyncio.run(claim())


def test_forgetting_removes_images_and_names_anonymous_volumes(harness):
    docker_file = harness.code / "Dockerfile"
    docker_file.write_text(docker_file.read_text() + "VOLUME /data\n")
    mine = f"{harness.project}_mine"
    harness.engine.docker("volume", "create", "--label", f"com.docker.compose.project={harness.project}", mine)

    async def claim():
        async with opened(harness) as runtime:
            made, container = await started(harness, runtime)
            [volume] = anonymous_volumes(inspected(harness, container)).values()
            await runtime.perform(StopReplica(ONE, "SIGTERM", 5.0), None)
            await eventually(runtime, ONE, lambda seen: seen.state == "exited")
            await runtime.perform(RemoveReplica(ONE), None)
        async with opened(harness) as successor:
            assert await successor.forget() == (f"removed volume {volume} (web: /data)",)
        assert not harness.engine.docker("images", "-q", made.release)
        assert volume not in harness.engine.docker("volume", "ls", "-q")

    try:
        asyncio.run(claim())
        assert mine in harness.engine.docker("volume", "ls", "-q")  # the file names it, so it is the user's
    finally:
        harness.engine.docker("volume", "rm", mine)
