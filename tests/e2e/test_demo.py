"""The demo keeps its own promise, and leaves nothing behind whatever happens to it."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def begin(tmp_path):
    """Start it with its temporary folder in ours."""
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("MIDAIR_HOME", None)
    command = (sys.executable, "-m", "midair", "demo")
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def left_behind(tmp_path):
    """Processes that have to do with the folder, and files in it."""
    found = list(tmp_path.iterdir())
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(tmp_path).encode() in about and (folder / "cmdline").read_bytes():
            found.append((folder / "cmdline").read_bytes())
    return found


def test_everything_is_changed_and_nothing_is_lost(tmp_path):
    child = begin(tmp_path)
    out, err = child.communicate(timeout=110)
    assert child.returncode == 0, out + err
    answers = re.search(r"^users +([\d,]+) answers, 0 lost", out, re.MULTILINE)
    accepted = re.search(r"^router +([\d,]+) requests accepted, 0 lost", out, re.MULTILINE)
    assert answers[1] == accepted[1]  # two counts, by two programs
    assert int(answers[1].replace(",", "")) > 1000
    assert "rolled back by itself" in out
    assert re.fullmatch(r"\d+ changes in \d+s, [\d,]+ requests, none lost", out.splitlines()[-1])
    assert left_behind(tmp_path) == []


def test_an_interrupted_demo_cleans_up(tmp_path):
    child = begin(tmp_path)
    while not child.stdout.readline().startswith("new code"):
        assert child.poll() is None
    time.sleep(0.5)  # into the change; anywhere will do
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode == 130
    assert left_behind(tmp_path) == []
