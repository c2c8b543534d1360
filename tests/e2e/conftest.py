"""A place for each test."""

import pytest
from tests.e2e.place import Place


@pytest.fixture
def place(tmp_path, living_in):
    with living_in(Place(tmp_path)) as made:
        yield made
