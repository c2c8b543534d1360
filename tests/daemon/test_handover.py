"""One daemon takes over from another: nobody is refused, and one that could not go on does not begin."""

import asyncio
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import threading
import time
import venv
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.api.conftest import await_follower, beginnings

import midair
from midair.client.home import has_daemon
from midair.daemon import serve
from midair.daemon.lock import sign, take_lock
from midair.daemon.server import listen_here
from midair.errors import Conflict, DaemonTrouble, UsageRefused
from midair.store import Store
from midair.view.ask import AskRestart
from midair.view.daemon import Done


def test_restarting_puts_another_process_in_its_place_and_refuses_nobody(client):
    before = client.ensure_daemon()
    failed, done = [], threading.Event()

    def ask():
        while not done.is_set():
            try:
                client.health()
            except Exception as error:
                failed.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        pids = {before.pid}
        for _ in range(3):
            pids.add(client.daemon_restart().pid)
    finally:
        done.set()
        asking.join()
    assert len(pids) == 4
    assert failed == []


@pytest.fixture
def other(tmp_path):
    """Another installation of midair, of another version, in a virtual environment of its own: its interpreter."""
    package = tmp_path / "code" / "midair"
    shutil.copytree(Path(midair.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "__init__.py").write_text('__version__ = "99.1"')
    venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    (site / "midair.pth").write_text("\n".join([str(package.parent), sysconfig.get_path("purelib")]))
    return str(tmp_path / "venv" / "bin" / "python")


def test_a_restart_by_another_installation_puts_that_one_in_its_place(client, other):
    before = client.ensure_daemon()
    assert (before.version, before.python) == (midair.__version__, sys.executable)
    environment = {**os.environ, "MIDAIR_HOME": str(client.home)}
    done = subprocess.run([other, "-m", "midair", "daemon", "restart"], env=environment, text=True, capture_output=True)
    assert (done.returncode, done.stderr) == (0, "")
    after = client.health()
    assert (after.version, after.python) == ("99.1", other)
    assert f"midair 99.1 runs as pid {after.pid}" in done.stdout
    assert client.daemon_restart().version == midair.__version__, "and back again"


def test_an_installation_that_does_not_start_takes_nothing_over(client, other):
    before = client.ensure_daemon()
    shutil.rmtree(Path(other).parents[2] / "code")
    with pytest.raises(DaemonTrouble, match="No module named"):
        client.post("/v1/daemon/restart", AskRestart(other), Done)
    assert client.health() == before


def test_a_version_that_cannot_read_the_state_takes_nothing_over(client):
    before = client.ensure_daemon()
    with closing(sqlite3.connect(client.home / "midair.db")) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        database.execute("PRAGMA user_version = 99")
        with pytest.raises(DaemonTrouble, match="it has version 99, and this midair knows"):
            client.daemon_restart()
        database.execute(f"PRAGMA user_version = {version}")
    assert client.health() == before
    assert client.daemon_restart().pid != before.pid


def test_a_state_that_cannot_be_read_takes_nothing_over(client):
    before = client.ensure_daemon()
    with closing(sqlite3.connect(client.home / "midair.db", isolation_level=None)) as database:
        database.execute("INSERT INTO projects (name, completed) VALUES ('shop', CAST('{}' AS BLOB))")
        with pytest.raises(DaemonTrouble, match="cannot restart the daemon: cannot open the database"):
            client.daemon_restart()
        assert client.health() == before
        database.execute("DELETE FROM projects")
    assert client.daemon_restart().pid != before.pid


def test_tokens_that_cannot_be_read_take_nothing_over(client, tmp_path, monkeypatch):
    (tmp_path / "tokens").write_text("secret shop\n")
    monkeypatch.setenv("MIDAIR_FLAGS_TOKENS", str(tmp_path / "tokens"))
    before = client.ensure_daemon()
    (tmp_path / "tokens").write_text("secret\n")
    with pytest.raises(DaemonTrouble, match="cannot read tokens from"):
        client.daemon_restart()
    assert client.health() == before


def test_a_full_disk_is_no_obstacle_to_who_holds_the_lock():
    with open("/dev/full", "r+b", buffering=0) as lock:
        sign(lock.fileno())


def test_a_daemon_has_one_successor(tmp_path, monkeypatch):
    asyncio.run(has_one_successor(tmp_path, monkeypatch))


async def has_one_successor(home, monkeypatch):
    made, dismissed = [], []

    async def start(*given):
        made.append(given)
        return SimpleNamespace(dismiss=lambda: dismissed.append(given))

    async def await_accepted(within):
        pass

    monkeypatch.setattr(serve, "start_successor", start)
    for first in ("restart", "stop"):
        with closing(socket.socket()) as listener:
            daemon = serve._Daemon(home, 0, listener, {})
            daemon._server = SimpleNamespace(ended=asyncio.Event())
            bus = SimpleNamespace(close=lambda comes_again: None)
            daemon._engine = SimpleNamespace(bus=bus, await_accepted=await_accepted)
            await daemon.restart("") if first == "restart" else daemon.stop()
            with pytest.raises(Conflict, match="it is being restarted, or ends"):
                await daemon.restart("")
    assert (len(made), dismissed) == (1, [])


def test_a_daemon_that_is_stopped_while_its_successor_starts_has_none(tmp_path, monkeypatch):
    asyncio.run(stopped_while_its_successor_starts(tmp_path, monkeypatch))


async def stopped_while_its_successor_starts(home, monkeypatch):
    home.chmod(0o700)
    Store(home).close()
    lock = take_lock(home)
    with closing(listen_here(home / "api.sock")) as listener:
        daemon = serve._Daemon(home, lock, listener, {})
        daemon._server = SimpleNamespace(ended=asyncio.Event())
        rounds = []

        async def await_accepted(within):
            rounds.append(within)
            if len(rounds) == 2:
                daemon.stop()

        daemon._engine = SimpleNamespace(
            bus=SimpleNamespace(close=lambda comes_again: None), await_accepted=await_accepted
        )
        with pytest.raises(Conflict, match="it was stopped meanwhile"):
            await daemon.restart("")
    os.close(lock)
    deadline = time.monotonic() + 10
    while has_daemon(home):  # the successor has the lock, too
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
    assert "begins" not in (home / "daemon.log").read_text()


def test_an_interpreter_that_this_user_should_not_run_is_refused(client, tmp_path):
    before = client.ensure_daemon()
    writable = tmp_path / "python"
    writable.write_text("#!/bin/sh")
    writable.chmod(0o777)
    for python in (str(writable), "python3", str(tmp_path), "/nowhere/python", "\0"):
        with pytest.raises(UsageRefused, match="cannot restart the daemon with"):
            client.post("/v1/daemon/restart", AskRestart(python), Done)
    assert client.health() == before


def test_a_followed_stream_outlives_a_restart(client):
    begun = beginnings(client)
    client.ensure_daemon()
    reader = threading.Thread(target=lambda: list(client.events(follow=True)))
    reader.start()
    for restarts in range(3):
        await_follower(begun)
        begun.clear()
        if restarts < 2:
            client.daemon_restart()
    client.daemon_stop()
    reader.join(10)
    assert not reader.is_alive()
