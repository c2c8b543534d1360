"""The daemon as systemd sees it: when it is ready, which process is the main one, and who may change its unit."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from midair.cli.unit import Unit, writable_by_others
from midair.client.home import has_daemon
from midair.daemon import systemd


class Supervisor:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)

    def next(self):
        return self.socket.recv(4096).decode().splitlines()


@pytest.fixture
def supervisor(tmp_path, monkeypatch):
    made = Supervisor(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    yield made
    made.socket.close()


def test_successor_names_itself_the_main_process(client, supervisor):
    client.ensure_daemon()
    assert "READY=1" in supervisor.next()
    second = client.daemon_restart()
    assert supervisor.next() == [f"MAINPID={second.pid}"]
    assert "READY=1" in supervisor.next()


def test_predecessor_waits_for_the_successors_signature(tmp_path):
    lock = tmp_path / "daemon.lock"
    lock.write_text(f"{os.getpid()}\n")
    waiting = threading.Thread(target=systemd.await_signature, args=(lock,))
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    lock.write_text("1\n")
    waiting.join(5)
    assert not waiting.is_alive()


def test_waiting_daemon_begins_when_the_other_ends(client, supervisor):
    first = client.ensure_daemon()
    supervisor.next()
    waiting = subprocess.Popen(
        [sys.executable, "-m", "midair.daemon", "--home", str(client.home), "--wait"], stderr=subprocess.DEVNULL
    )
    try:
        assert supervisor.next()[0] == "READY=1"
        assert client.health().pid == first.pid
        client.daemon_stop()
        assert f"MAINPID={waiting.pid}" in supervisor.next()
        assert client.health().pid == waiting.pid
    finally:
        waiting.send_signal(signal.SIGTERM)
        waiting.wait(20)
    assert not has_daemon(client.home)


def test_system_unit_runs_as_the_owner(tmp_path):
    text = Unit(tmp_path / "my home%", "ann", is_system=True, python="/opt/midair/bin/python").text
    assert "\nUser=ann\n" in text
    assert f'ExecStart=/opt/midair/bin/python -m midair.daemon --home "{tmp_path}/my home%%" --wait' in text
    assert "\nKillMode=process\nRestart=always\n" in text
    assert "\nWantedBy=multi-user.target\n" in text


def test_user_unit_names_no_user(tmp_path):
    text = Unit(tmp_path, "ann", is_system=False).text
    assert "User=" not in text
    assert "\nWantedBy=default.target\n" in text


def test_path_that_others_can_write_is_named(tmp_path):
    owner = os.geteuid()
    for folder in (tmp_path / "venv", tmp_path / "venv" / "bin"):
        folder.mkdir()
        folder.chmod(0o755)
    python = tmp_path / "venv" / "bin" / "python"
    python.touch()
    python.chmod(0o755)
    assert writable_by_others((python,), owner) is None
    (tmp_path / "venv").chmod(0o775)
    assert writable_by_others((python,), owner) == tmp_path / "venv"
    (tmp_path / "venv").chmod(0o755)
    assert writable_by_others((python,), owner + 1) == (None if owner == 0 else python)
