"""A ground for each test."""

import pytest
from tests.proof.ground import Ground


@pytest.fixture
def ground(tmp_path, living_in):
    with living_in(Ground(tmp_path)) as made:
        yield made
