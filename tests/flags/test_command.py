"""`midair flag` against a real daemon: flags of a project, changed in flight, with a client listening all the while."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from midair.client import Client
from midair.openfeature import Flags

pytestmark = pytest.mark.e2e

COMPOSE = """
name: flagged
x-midair: {{flags: flags.yaml}}
services:
  web:
    command: python3 -m http.server $$PORT
    ports: ["127.0.0.1:{port}:80"]
    deploy: {{update_config: {{monitor: 50ms}}}}
"""
FLAGS = """
x-midair: {fractional: v3}
flags:
  new-button:
    state: ENABLED
    variants: {"on": true, "off": false}
    defaultVariant: "off"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Project:
    """A folder with a Compose file, and its own daemon."""

    def __init__(self, folder):
        self.folder, self.home, self.port = folder, folder / "home", free_port()
        (folder / "compose.yaml").write_text(COMPOSE.format(port=free_port()))
        (folder / "flags.yaml").write_text(FLAGS)
        self.environment = {
            **os.environ, "MIDAIR_HOME": str(self.home), "MIDAIR_BY": "jane", "XDG_CACHE_HOME": str(folder / "cache"),
            "MIDAIR_FLAGS_LISTEN": f"127.0.0.1:{self.port}",
        }  # fmt: skip

    def midair(self, *arguments, code=0):
        """What a command prints; its errors, if it is to fail."""
        done = subprocess.run(
            [sys.executable, "-m", "midair", *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout if code == 0 else done.stderr

    def json(self, *arguments):
        return json.loads(self.midair(*arguments, "--json"))

    def told(self):
        return {flag["key"]: flag["told"] for flag in self.json("flag", "list")["flags"]}

    def ofrep(self, key, user):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/ofrep/v1/evaluate/flags/{key}",
            data=json.dumps({"context": {"targetingKey": user}}).encode(), method="POST",
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    try:
        made.midair("up", "--yes")
        yield made
    finally:
        made.midair("down")
        made.midair("daemon", "stop")


def test_flags_are_changed_in_flight_for_every_client(project, eventually):
    socket_url = f"unix:{project.home}/flags.sock#flagged"
    with Flags(socket_url, cache=False, wait=10) as flags:
        user = {"targetingKey": "user-1"}
        assert flags.boolean("new-button", True, user) is False
        project.midair("flag", "on", "new-button", "--why", "launch")
        eventually(lambda: flags.boolean("new-button", False, user), "the change")
        assert project.ofrep("new-button", "user-1")["value"] is True

        assert "nothing to do" in project.midair("flag", "on", "new-button")
        project.midair("flag", "set", "new-button", "on=10")
        assert project.told() == {"new-button": "on 10 %, off 90 %"}
        shown = [number for number in range(300) if project.ofrep("new-button", f"user-{number}")["value"]]
        assert 15 <= len(shown) <= 45
        project.midair("flag", "roll", "new-button", "--steps", "20,30", "--every", "300ms")
        eventually(lambda: project.told() == {"new-button": "on for everyone"}, "the ramp's end", within=20)

        history = project.json("flag", "history")
        assert [(entry["by"], entry["kind"]) for entry in history] == [("midair", "flag")] * 2 + [
            ("jane", "flag")
        ] * 3 + [("jane", "up")]
        assert history[4]["why"] == "launch"
        assert "0 services as wanted" not in project.midair("plan")
        assert "set by flag (the file says off for everyone)" in project.midair("plan")

        project.midair("flag", "undo")
        assert project.told()["new-button"].endswith("(paused)")
        project.midair("flag", "roll", "new-button", "--abort")
        assert project.told() == {"new-button": "on 10 %, off 90 %"}
        project.midair("flag", "kill", "new-button")
        assert project.ofrep("new-button", "user-1")["reason"] == "DISABLED"
        project.midair("undo", "--yes")
        assert project.told() == {"new-button": "on 10 %, off 90 %"}
        project.midair("flag", "schedule", "new-button", "off", "--at", "2020-01-01")
        eventually(lambda: not flags.boolean("new-button", True, {"targetingKey": "user-25"}), "the schedule")
        assert "schedule-over" in project.midair("flag", "lint")


def test_what_cannot_be_done_is_said_and_changes_nothing(project):
    assert "there is no such variant" in project.midair("flag", "set", "new-button", "onn=5", code=2)
    assert "is not in the set" in project.midair("flag", "kill", "new-buton", code=2)
    assert "should be a duration" in project.midair("flag", "roll", "new-button", "--every", "soon", code=2)
    project.midair("flag", "set", "new-button", "on=50")
    asked = project.midair("flag", "bucketing", "v2", code=4)
    assert "made-up users get something else" in asked
    (project.folder / "flags.yaml").write_text(FLAGS.replace("ENABLED", "ON"))
    refused = project.midair("up", code=2)
    assert 'flags.new-button.state: should be ENABLED or DISABLED, got "ON"' in refused
    assert project.told() == {"new-button": "on 50 %, off 50 %"}
    project.midair("flag", "bucketing", "v2", "--yes")
    assert project.json("flag", "list")["fractional"] == "v2"


def test_clients_go_on_while_the_daemon_is_killed_and_comes_back(project, eventually):
    project.midair("flag", "on", "new-button")
    with Flags(f"unix:{project.home}/flags.sock", "flagged", cache=False, wait=10) as flags:
        heard = flags.keeper.heard
        os.kill(Client(project.home).health().pid, signal.SIGKILL)
        assert flags.boolean("new-button", False) is True
        project.midair("daemon", "start")
        eventually(lambda: flags.keeper.heard > heard and flags.state == "ready", "the client to come back", within=20)
        project.midair("flag", "off", "new-button")
        eventually(lambda: flags.boolean("new-button", True) is False, "the next change", within=20)
        project.midair("daemon", "restart")
        project.midair("flag", "on", "new-button")
        eventually(lambda: flags.boolean("new-button", False) is True, "the change after a restart", within=20)
        assert not flags.keeper.misses
