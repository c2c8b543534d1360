"""Whatever happens to the stored state, users are served, the operator is told in one line, and there is a way on."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from tests.proof.disk import filled, read_only, small_disk
from tests.proof.ground import USERS, Ground, kill, wait

from midair.client import Client

pytestmark = pytest.mark.e2e


def refused(ground, *wanted):
    """An `up` ends with one clear error that says all this."""
    ground.project("blue")
    done = ground.midair("up")
    assert done.code not in (0, 3), done
    assert done.err.count("error: ") == 1, done
    assert "Traceback" not in done.err
    for text in wanted:
        assert text in done.err, done


def sql(ground, text):
    """Do something to the database behind midair's back."""
    with closing(sqlite3.connect(ground.home / "midair.db", isolation_level=None)) as database:
        return database.execute(text).fetchall()


def ready(ground):
    """How many replicas of any revision could serve."""
    return sum(replica.state in ("ready", "serving") for replica in ground.replicas("web"))


def replicas(ground):
    """The processes of the replicas."""
    return {name: pid for name, pid in ground.pids().items() if "/" in name}


def test_a_damaged_database_is_said_users_are_served_and_a_backup_brings_it_back(ground, tmp_path):
    ground.up("red")
    ground.midair("daemon", "backup", str(tmp_path / "shop.backup"), expect=0)
    before = replicas(ground)
    with ground.load(ground.port, **USERS):
        kill(ground.client.health().pid)
        (ground.home / "midair.db").write_bytes(b"this was a database once\n" * 4000)
        for name in ("midair.db-wal", "midair.db-shm"):
            (ground.home / name).unlink(missing_ok=True)
        refused(ground, "midair.db", "it is damaged", "hint: move the file away, then run midair daemon restore")
        (ground.home / "midair.db").rename(tmp_path / "damaged")
        ground.midair("daemon", "restore", str(tmp_path / "shop.backup"), expect=0)
        ground.becomes_whole()
        assert replicas(ground) == before
        assert ground.up("blue").phase == "completed"
        assert ground.ended(ground.client.undo("shop").id).phase == "completed"
    ground.nothing_was_lost()


def test_a_database_of_a_newer_version_is_left_alone(ground):
    ground.up("red")
    with ground.load(ground.port, **USERS):
        kill(ground.client.health().pid)
        version = sql(ground, "PRAGMA user_version")[0][0]
        sql(ground, "PRAGMA user_version = 99")
        refused(ground, "it has version 99", "hint: install the newer midair")
        assert sql(ground, "PRAGMA user_version") == [(99,)]
        sql(ground, f"PRAGMA user_version = {version}")
        assert ground.up("blue").phase == "completed"
    ground.nothing_was_lost()


def test_a_read_only_disk_is_said_and_users_are_served(ground):
    ground.up("red")
    with ground.load(ground.port, **USERS):
        kill(ground.client.health().pid)
        with read_only(ground.home):
            refused(ground, str(ground.home))
        assert ground.up("blue").phase == "completed"
    ground.nothing_was_lost()


def test_a_full_disk_stops_a_change_before_it_begins_and_it_can_be_asked_for_again(tmp_path):
    with small_disk(tmp_path / "home"):
        ground = Ground(tmp_path)
        try:
            ground.up("red")
            with ground.load(ground.port, **USERS):
                with filled(ground.home):
                    refused(ground)
                    ground.becomes_whole()
                assert ground.up("blue").phase == "completed"
            ground.nothing_was_lost()
        finally:
            assert ground.close() == []


def test_a_disk_that_fills_up_in_the_middle_of_a_change_is_said_and_the_change_goes_on_by_itself(tmp_path):
    with small_disk(tmp_path / "home"):
        ground = Ground(tmp_path)
        try:
            ground.up("red")
            with ground.load(ground.port, **USERS):
                change = ground.change(ground.project("blue", monitor="3s"))
                wait(
                    lambda: ready(ground) == 4, "the new replicas"
                )  # what cannot be started is a failure, and goes back
                with filled(ground.home):
                    wait(lambda: ground.client.health().problem, "a word about it")
                    assert "the disk is full" in ground.client.health().problem
                    assert ground.midair("daemon", "status").code == 1
                assert ground.ended(change).phase == "completed"
                ground.becomes_whole()
                wait(lambda: not ground.client.health().problem, "the all-clear")
            ground.nothing_was_lost()
        finally:
            assert ground.close() == []


def test_a_second_daemon_on_the_same_folder_is_refused(ground):
    ground.up("red")
    first = ground.client.health().pid
    command = [sys.executable, "-m", "midair.daemon", "--home", str(ground.home)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode != 0
    assert f'another one runs for "{ground.home}", pid {first}' in second.stderr
    assert ground.client.health().pid == first
    ground.becomes_whole()


def test_many_who_start_the_daemon_at_once_get_the_same_one(ground):
    with ThreadPoolExecutor(6) as callers:
        pids = {health.pid for health in callers.map(lambda _: Client(ground.home).ensure_daemon(), range(6))}
    assert len(pids) == 1


def test_a_wall_clock_that_was_set_back_by_an_hour_changes_nothing(ground):
    ground.up("red")
    ground.client.daemon_stop()
    ahead = time.time() + 3600  # what was stored last is an hour ahead of the wall clock now
    sql(ground, f"UPDATE meta SET value = '{ahead!r}' WHERE key = 'moment'")
    with ground.load(ground.port, **USERS):
        began = time.monotonic()
        change = ground.up("blue")
        assert change.phase == "completed"
        assert time.monotonic() - began < 20
        ground.becomes_whole()
    assert ahead <= change.created_at <= change.ended_at < ahead + 60
    moments = [event.at for event in ground.client.events("shop", after=0)]
    assert moments == sorted(moments)
    ground.nothing_was_lost()


def test_one_command_saves_everything_and_one_brings_it_back_without_the_working_tree(ground, tmp_path):
    saved = tmp_path / "shop.backup"
    ground.up("red")
    ground.edit("web/app.py", '"v1"', '"v2"')
    ground.up("red")
    ground.midair("daemon", "backup", str(saved), expect=0)
    assert os.stat(saved).st_mode & 0o777 == 0o600
    ground.midair("down", expect=0)
    ground.client.daemon_stop()
    shutil.rmtree(ground.home)
    shutil.rmtree(ground.folder / "web")
    ground.midair("daemon", "restore", str(saved), expect=0)
    ground.becomes_whole()
    with ground.load(ground.port, get=1) as load:
        assert ground.ended(ground.client.undo("shop").id).phase == "completed"
    assert set(load.report["versions"]) == {"v1", "v2"}
    assert load.report["failed"] == 0
    assert [change.phase for change in ground.client.history("shop")][-2:] == ["completed", "completed"]
