"""midair doctor finds what would keep midair from working, and changes nothing."""

import json
import os
import socket
import subprocess
import sys

import pytest
from msgspec.structs import replace
from tests.cli import views

COMPOSE = 'services:\n  web:\n    command: run\n    ports: ["127.0.0.1:{port}:80"]\n'


@pytest.fixture
def examine(midair, monkeypatch, tmp_path):
    """Run it in an empty folder: the exit code and the checks by name."""
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run():
        code, out, err = midair("doctor", "--json")
        assert err == ""
        return code, {check["name"]: check for check in json.loads(out)}

    return run


def test_a_good_machine_is_good(examine, tmp_path):
    code, checks = examine()
    assert [check for check in checks.values() if not check["ok"]] == []
    assert code == 0
    assert os.listdir(tmp_path) == []


def test_every_bad_check_has_a_hint_that_starts_with_a_verb(examine, tmp_path, midair):
    (tmp_path / "home").mkdir(mode=0o755)
    (tmp_path / "home").chmod(0o755)
    code, checks = examine()
    assert code == 1
    assert checks["folder"]["hint"] == f"run chmod 700 {tmp_path / 'home'}"
    assert "bad  folder" in midair("doctor")[1]


def test_a_taken_port_of_the_file_here_is_found(examine, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "compose.yaml").write_text(COMPOSE.format(port=port))
        code, checks = examine()
    assert code == 1
    assert checks["port"]["text"] == f"{port} of web: Address already in use"
    assert examine()[1]["port"]["ok"]


def test_a_port_of_another_project_here_is_found(examine, tmp_path, daemon, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIDAIR_HOME", str(daemon.home))
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (views.summary(),),
        "GET /v1/projects/shop": replace(views.project(), folder="/srv/shop"),
    }
    (tmp_path / "compose.yaml").write_text("name: moved\n" + COMPOSE.format(port=8000))
    code, checks = examine()
    assert code == 1
    assert checks["port"]["text"] == '8000 of web belongs to project "shop" of the folder "/srv/shop"'
    (tmp_path / "compose.yaml").write_text("name: shop\n" + COMPOSE.format(port=8000))
    assert "port" not in examine()[1]


def test_a_bad_file_is_found(examine, tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {web: {comand: x}}")
    assert "did you mean" in examine()[1]["file"]["text"]


def test_a_daemon_that_should_run_is_missed(examine, tmp_path):
    (tmp_path / "home").mkdir(mode=0o700)
    (tmp_path / "home" / "midair.db").touch()
    code, checks = examine()
    assert code == 1
    assert checks["daemon"]["hint"] == "run midair daemon start"


def test_a_replica_that_nobody_knows_is_found(examine, tmp_path, daemon, monkeypatch):
    monkeypatch.setenv("MIDAIR_HOME", str(daemon.home))
    monkeypatch.chdir(tmp_path)
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (views.summary(),),
        "GET /v1/projects/shop": views.project(),
    }
    environment = {**os.environ, "MIDAIR_REPLICA": "web/0/0"}
    program = (sys.executable, "-c", "import sys; sys.stdin.read()")
    with (
        (daemon.home / "replica.log").open("wb") as log,
        subprocess.Popen(program, stdin=-1, stdout=log, env=environment, start_new_session=True) as child,
    ):
        _, checks = examine()
        child.communicate()
    assert checks["leftovers"]["hint"] == f"end them: kill {child.pid}"


@pytest.mark.parametrize(
    ("port", "family", "kind", "place"),
    [
        ("[::1]:{}:80", socket.AF_INET6, socket.SOCK_STREAM, "{}"),
        ("127.0.0.1:{}:80/udp", socket.AF_INET, socket.SOCK_DGRAM, "{}/udp"),
    ],
)
def test_port_is_tried_as_it_is_published(examine, tmp_path, port, family, kind, place):
    with socket.socket(family, kind) as taken:
        taken.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        number = taken.getsockname()[1]
        written = port.format(number)
        (tmp_path / "compose.yaml").write_text(f'services: {{web: {{command: run, ports: ["{written}"]}}}}')
        if kind == socket.SOCK_STREAM:
            taken.listen()
        assert examine()[1]["port"]["text"] == f"{place.format(number)} of web: Address already in use"
    assert examine()[1]["port"]["text"] == f"{place.format(number)} of web is free"
