"""A daemon of a test's own."""

import pytest

from midair.client import Client
from midair.errors import DaemonTrouble


@pytest.fixture
def client(tmp_path):
    made = Client(tmp_path / "home")
    yield made
    try:
        made.daemon_stop()
    except DaemonTrouble:
        pass
