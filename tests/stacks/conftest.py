"""An engine of these tests' own with real servers, and a sample of the stacks unless all are asked for."""

import os
import random

import pytest
from tests.docker import engine as engines
from tests.docker.conftest import place as place  # a fixture of these tests, too
from tests.stacks.images.build import build
from tests.stacks.stack import MOVED, NAMES, Stack, images_of

# Others take more than the four minutes that a check of every change may: servers start slowly, workers stop slowly.
BRIEF = ("counter", "press", "proxy")


def pytest_addoption(parser):
    parser.addoption("--all", action="store_true", help="run every stack, not a sample")
    parser.addoption("--seed", type=int, help="the sample of an earlier run")


def pytest_generate_tests(metafunc):
    for fixture, names in (("stack", NAMES), ("moved", MOVED)):
        if fixture in metafunc.fixturenames:
            metafunc.parametrize(fixture, sample(metafunc.config, names), indirect=True)


def pytest_report_header(config):
    stacks, moved = (", ".join(sample(config, names)) for names in (NAMES, MOVED))
    return f"stacks: {stacks}; as processes: {moved} (--seed {_seed(config)})"


def _seed(config):
    if not hasattr(config, "stacks_seed"):
        config.stacks_seed = config.getoption("--seed", None) or random.SystemRandom().randrange(1, 10_000)
    return config.stacks_seed


def sample(config, names):
    """Those of `names` to run: all, or the one that the seed picks, if it is among them."""
    picked = names if config.getoption("--all", False) else [random.Random(_seed(config)).choice(BRIEF)]
    return [name for name in names if name in picked]


@pytest.fixture(scope="session")
def engine(request, tmp_path_factory):
    """Never the user's: the images get the names of official ones. STACKS_ENGINE names one that may be used so."""
    images = set().union(*map(images_of, sample(request.config, NAMES)))
    if host := os.environ.get("STACKS_ENGINE"):
        found = engines.Engine(host)
        build(found, images)
        yield found
        return
    folder = tmp_path_factory.mktemp("docker")
    engines.require_own()
    found = engines.start_own(folder)
    try:
        build(found, images)
        yield found
    finally:
        found.stop()


@pytest.fixture
def stack(request, place, engine):
    """A copy of the stack's folder with a free port, as the project "shop"."""
    made = Stack(request.param, place, engine)
    yield made
    made.end()
