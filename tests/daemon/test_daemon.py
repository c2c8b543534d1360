"""The daemon as a process: it starts by itself, refuses clearly, hands over, and ends in order."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from midair.cli.load import load_project
from midair.client import Client
from midair.client.home import has_daemon
from midair.errors import Conflict, DaemonTrouble, StoreTrouble
from midair.model.ids import ReplicaId
from midair.router.embedded.router import EmbeddedRouter
from midair.router.embedded.spawn import reap
from midair.runtime.process.translate import MARK, given


def test_it_starts_in_the_background_when_it_is_needed(client):
    first = client.ensure_daemon()
    assert client.ensure_daemon().pid == first.pid
    assert os.getsid(first.pid) != os.getsid(0), "closing the terminal would end it"


def test_started_from_a_replica_it_is_no_part_of_that(client, monkeypatch):
    names = {MARK, *given(ReplicaId("hook/aa/0"), SimpleNamespace(id="aa"), 1), "MIDAIR_FLAGS"}
    for name in names:
        monkeypatch.setenv(name, "hook/aa/0")
    assert not names & environment_of(client.ensure_daemon().pid)
    client.daemon_stop()
    foreground = subprocess.Popen([sys.executable, "-m", "midair.daemon", "--home", str(client.home)])
    monkeypatch.undo()
    await_daemon(client)
    assert not names & environment_of(client.daemon_restart().pid), "it would have given that to routers, too"
    assert foreground.wait(10) == 0


def environment_of(pid):
    """The names in a process' environment."""
    return {line.partition("=")[0] for line in Path(f"/proc/{pid}/environ").read_text().split("\0")}


def await_daemon(client):
    deadline = time.monotonic() + 10
    while True:
        try:
            return client.health()
        except DaemonTrouble:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_ten_callers_at_once_get_one_daemon(client):
    pids = []
    callers = [threading.Thread(target=lambda: pids.append(client.ensure_daemon().pid)) for _ in range(10)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(pids) == 10
    assert len(set(pids)) == 1


def test_a_second_daemon_on_the_same_folder_refuses_and_says_who_has_it(client):
    pid = client.ensure_daemon().pid
    second = subprocess.run(
        [sys.executable, "-m", "midair.daemon", "--home", str(client.home)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f'another one runs for "{client.home}", pid {pid}' in second.stderr
    assert "hint: stop it with midair daemon stop" in second.stderr
    assert second.stderr.count("cannot start the daemon") == 1, "it was told twice"
    assert client.health().pid == pid


def test_a_killed_daemon_leaves_nothing_that_stops_the_next(client):
    first = client.ensure_daemon()
    os.kill(first.pid, signal.SIGKILL)
    assert client.ensure_daemon().pid != first.pid


def test_why_it_cannot_start_is_told_to_who_wanted_it(client):
    client.home.mkdir()
    (client.home / "midair.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreTrouble, match="it is damaged") as told:
        client.ensure_daemon()
    assert told.value.hint.startswith("move the file away")
    (client.home / "midair.db").unlink()
    client.ensure_daemon()


def test_a_home_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DaemonTrouble, match="cannot use the folder"):
        Client(tmp_path / "file" / "home").ensure_daemon()


def test_it_ends_in_order_when_told_by_a_signal(client):
    os.kill(client.ensure_daemon().pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while has_daemon(client.home):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert "midair ends" in (client.home / "daemon.log").read_text()


def test_no_file_and_no_socket_can_be_reached_by_others(client):
    client.ensure_daemon()
    assert stat.S_IMODE(client.home.stat().st_mode) == 0o700
    names = {path.name for path in client.home.iterdir()}
    assert {"api.sock", "daemon.lock", "daemon.log", "midair.db"} <= names
    for path in client.home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_folder_that_others_could_look_into_is_closed(client):
    client.home.mkdir()
    for _ in range(2):  # empty at first, then with midair's own files
        client.home.chmod(0o755)
        client.ensure_daemon()
        assert stat.S_IMODE(client.home.stat().st_mode) == 0o700
        client.daemon_stop()
    client.home.chmod(0o711)  # as replicas of other users need it
    client.ensure_daemon()
    assert stat.S_IMODE(client.home.stat().st_mode) == 0o711


def test_a_folder_that_holds_other_things_stays_as_it_is(client):
    client.home.mkdir()
    client.home.chmod(0o755)
    (client.home / "letter").touch()
    with pytest.raises(DaemonTrouble, match="there is more in it than midair") as told:
        client.ensure_daemon()
    assert told.value.hint == "set MIDAIR_HOME to a new folder"
    assert stat.S_IMODE(client.home.stat().st_mode) == 0o755
    assert [path.name for path in client.home.iterdir()] == ["letter"]


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can give a folder away")
def test_a_folder_of_another_user_is_refused(client):
    client.home.mkdir(mode=0o700)
    os.chown(client.home, 65534, -1)
    with pytest.raises(DaemonTrouble, match="it belongs to another user"):
        client.ensure_daemon()


def test_planning_a_project_leaves_no_folder(client, tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {web: {build: ., command: python3 app.py, ports: ['8123:8123']}}")
    (tmp_path / "app.py").touch()
    client.ensure_daemon()
    project = load_project(project_name="shop", cwd=tmp_path)
    assert [step.kind for step in client.plan(project).steps] == ["add"]
    assert not (client.home / "projects" / "shop").exists()
    assert client.projects() == ()


def test_a_forgotten_project_leaves_no_file_and_no_router(client, tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {web: {build: ., command: sleep 1000}}")
    client.ensure_daemon()
    project = load_project(project_name="shop", cwd=tmp_path)
    follow(client, client.apply(project, client.plan(project).digest))
    folder = client.home / "projects" / "shop"
    assert {"releases", "logs", "replicas"} <= {path.name for path in folder.iterdir()}
    with pytest.raises(Conflict, match="web not stopped yet"):
        client.forget("shop")
    follow(client, client.down("shop"))
    left_behind = asyncio.run(router_pid(folder))  # as if a daemon had been killed before it could end it
    client.forget("shop")
    reap()  # it was started from here
    with pytest.raises(ProcessLookupError):
        os.kill(left_behind, 0)
    assert list(folder.parent.iterdir()) == []
    assert [path.name for path in client.home.iterdir() if path.name.startswith(".")] == []
    assert client.projects() == ()
    assert list(client.events()) == []


def follow(client, change):
    for event in client.events(change.project, after=change.first_event - 1, follow=True):
        if event.change == change.id and event.kind == "change-ended":
            break
    assert client.change(change.project, change.id).phase == "completed"


async def router_pid(folder):
    router = EmbeddedRouter(folder)
    await router.open()
    pid = (await router.observe()).pid
    await router.close()
    return pid


def test_an_idle_daemon_sleeps(client):
    pid = client.ensure_daemon().pid
    time.sleep(1.0)
    before = ticks(pid)
    time.sleep(2.0)
    assert ticks(pid) - before <= 2, "an idle daemon used the processor"


def ticks(pid):
    """Hundredths of a second that a process has run."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
