"""The command line, run in this process against a control plane that answers what it was told to."""

import os
import tempfile
import time
from pathlib import Path

import pytest
from tests.cli.fake_daemon import FakeDaemon

from midair.cli.main import run

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def daemon(monkeypatch):
    """A fake daemon in a home of its own, and an empty folder to stand in."""
    with tempfile.TemporaryDirectory(prefix="midair-cli-") as folder:
        monkeypatch.setenv("MIDAIR_HOME", f"{folder}/home")
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setenv("USER", "ann")
        for name in ("COMPOSE_PROJECT_NAME", "SUDO_USER", "MIDAIR_BY", "NO_COLOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(folder)
        fake = FakeDaemon(Path(folder) / "home")
        yield fake
        fake.close()


@pytest.fixture
def midair(capsys):
    """Run a command line: exit code, output and complaints."""

    def call(*arguments):
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def golden():
    """Compare text with a file; MIDAIR_GOLDEN=rewrite writes it."""

    def compare(name, text):
        path = GOLDEN / f"{name}.txt"
        if os.environ.get("MIDAIR_GOLDEN") == "rewrite":
            path.write_text(text)
        assert text == path.read_text()

    return compare
