"""One engine and one image for all tests of the Docker runtime."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import engine as engines


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Engine]:
    folder = tmp_path_factory.mktemp("docker")
    found = engines.start(folder)
    try:
        engines.ensure_image(found, folder)
        yield found
    finally:
        found.stop()
