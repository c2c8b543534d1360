"""The midair of the landing before: its code from git, in an environment of its own that shares the libraries."""

import os
import subprocess
import sysconfig
import tarfile
import venv
from io import BytesIO
from pathlib import Path

import pytest
from tests.e2e.place import Place

HERE = Path(__file__).parent
BEFORE = (HERE / "BEFORE").read_text().strip()  # the commit of the landing before


@pytest.fixture(scope="session")
def old_midair(tmp_path_factory):
    """The folder with its `midair` command."""
    done = subprocess.run(["git", "archive", BEFORE, "src"], cwd=HERE.parents[1], capture_output=True)
    if done.returncode != 0:
        reason = f"git has no commit {BEFORE} here: fetch the whole history"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
    venv.create(folder / "venv", symlinks=True, with_pip=False)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "midair.pth").write_text(f"{folder / 'src'}\n{sysconfig.get_path('purelib')}")
    command = folder / "venv" / "bin" / "midair"
    command.write_text(f'#!/bin/sh\nexec "{folder}/venv/bin/python" -m midair "$@"\n')
    command.chmod(0o755)
    return command.parent


@pytest.fixture
def place(tmp_path, living_in, old_midair):
    """A project "shop" whose first commands are those of the old midair."""
    with living_in(Place(tmp_path)) as made:
        made.new_path = made.environment["PATH"]
        made.environment["PATH"] = f"{old_midair}:{made.new_path}"
        yield made


def upgrade(place):
    """From now on the commands are those of today's midair; nothing that runs has noticed."""
    place.environment["PATH"] = place.new_path
