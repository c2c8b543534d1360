"""One engine and one image for all tests of the Docker runtime, and a place in it for each."""

from collections.abc import Iterator

import pytest
from tests.docker import engine as engines
from tests.docker.test_docker_contract import DockerHarness
from tests.docker.waiting import networks_of
from tests.e2e.place import Place
from tests.upgrade.conftest import old_midair as old_midair  # a fixture of these tests, too


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Engine]:
    folder = tmp_path_factory.mktemp("docker")
    found = engines.start(folder)
    try:
        engines.ensure_image(found, folder)
        yield found
    finally:
        found.stop()


@pytest.fixture
def place(tmp_path, living_in, engine, monkeypatch):
    """A project "shop" on the engine, taken down afterwards. Nothing of it may be left."""
    monkeypatch.setenv("DOCKER_HOST", engine.host)  # for daemons that the test starts again
    clear(engine)
    try:
        with living_in(Place(tmp_path)) as made:
            made.environment["DOCKER_HOST"] = engine.host
            yield made
    finally:
        mine = engine.docker("ps", "-aq", "--filter", "label=com.docker.compose.project=shop")
        networks = networks_of(engine)
        clear(engine)
    assert mine == "", "containers were left behind"
    assert networks == [], "networks were left behind"


def clear(engine: engines.Engine) -> None:
    """Remove whatever an earlier test left of the project."""
    for container in engine.docker("ps", "-aq", "--filter", "label=com.docker.compose.project=shop").split():
        engine.docker("rm", "-f", "-v", container)
    for name in networks_of(engine):
        engine.docker("network", "rm", name, check=False)


@pytest.fixture
def harness(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    made = DockerHarness(tmp_path, engine)
    made.engine = engine
    yield made
    label = f"label=com.docker.compose.project={made.project}"
    for container in engine.docker("ps", "-aq", "--filter", label).split():
        engine.docker("rm", "-f", "-v", container)
    for network in engine.docker("network", "ls", "--format", "{{.Name}}").split():
        if network.startswith(made.project):
            engine.docker("network", "rm", network)
