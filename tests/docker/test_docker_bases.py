"""A new base image is another revision where it was asked for, is named first, and rebuilds nothing else."""

import pytest
from tests.docker import engine as engines
from tests.docker.registry import Registry
from tests.docker.shop import add_app, compose, service
from tests.docker.waiting import REPLICAS
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def based(place, engine, tmp_path):
    """The app built on an image of a registry: the registry, a function that pushes a base, and the base's name."""
    with Registry(tmp_path / "registry") as registry:
        base = f"{registry.host}/python:3"
        folder = tmp_path / "base"
        folder.mkdir()

        def push(version):
            (folder / "Dockerfile").write_text(f"FROM {engines.IMAGE}\nLABEL base={version}\n")
            engine.docker("build", "-q", "-t", base, str(folder))
            engine.docker("push", "-q", base)
            engine.docker("rmi", base)

        push("one")
        add_app(place)
        (place.folder / "web/Dockerfile").write_text(
            f"ARG VERSION=3\nFROM {base[:-1]}$VERSION\nWORKDIR /app\nCOPY . .\n"
        )
        yield registry, push, base


def running(engine):
    """Containers of the service, and the base that their images were built on."""
    containers = sorted(engine.docker("ps", "-q", "--filter", REPLICAS).split())
    return containers, set(engine.docker("inspect", "-f", '{{index .Config.Labels "base"}}', *containers).split())


def test_build_sees_a_new_base_image(place, engine, based):
    registry, push, base = based
    port = free_port()
    place.write(compose({"web": service(port, replicas=2)}))
    place.midair("up", expect=0)
    first = running(engine)
    assert "the image is the same" in str(place.midair("up", "--build", expect=0))
    assert running(engine) == first
    push("two")
    assert "nothing to do" in place.midair("plan", expect=0).out
    plan = place.midair("plan", "--build", expect=0).out
    assert f"base image {base}" in plan
    assert "build (--build)" in plan
    with place.load(port, get=2, new=1):
        place.midair("up", "--build", expect=0)
    place.nothing_was_lost()
    assert running(engine)[1] == {"two"}
    assert "nothing to do" in place.midair("plan", expect=0).out
    place.midair("undo", expect=0)
    assert running(engine)[1] == {"one"}
    registry.__exit__()
    assert "cannot look up the base image" in place.midair("up", "--build", expect=1).err
    assert running(engine)[1] == {"one"}
    place.midair("up", "--build", "--pull", "missing", expect=0)  # the newer base is here
    assert running(engine)[1] == {"two"}


@pytest.mark.parametrize("asked", ["policy", "pull"])
def test_policy_of_the_file_sees_a_new_base_image(place, engine, based, asked):
    _, push, base = based
    web = service(free_port(), replicas=2, pull_policy="build")
    if asked == "pull":
        del web["pull_policy"]
        web["build"] = {"context": "./web", "pull": True}
    place.write(compose({"web": web}))
    place.midair("up", expect=0)
    assert "nothing to do" in place.midair("up", expect=0).out
    first = running(engine)
    push("two")
    plan = place.midair("plan", expect=0).out
    assert f"base image {base}" in plan
    assert "build (code)" not in plan
    assert running(engine) == first
    assert "nothing to do" in place.midair("plan", "--pull", "missing", expect=0).out
    place.midair("up", expect=0)
    assert running(engine)[1] == {"two"}
    assert "nothing to do" in place.midair("up", expect=0).out
