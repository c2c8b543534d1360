"""Everything that can be wrong with the database is said in one clear line."""

import os
import shutil
import sqlite3
import stat
import time

import pytest

from midair.errors import StoreTrouble
from midair.model.event import ReplicaReady
from midair.model.ids import ReplicaId
from midair.store import Commit, Reserve, Store
from midair.store.connection import open_database, scripts

EVENT = (1, ReplicaReady(ReplicaId("web/aa/0")))


@pytest.fixture
def home(tmp_path):
    store = Store(tmp_path)
    store.commit(Commit("shop", 1.0, events=(EVENT,) * 500))
    store.close()
    return tmp_path


def test_a_file_that_is_no_database_is_said_to_be_damaged(home):
    (home / "midair.db").write_bytes(b"no database at all\n" * 500)
    with pytest.raises(StoreTrouble, match=r"cannot open the database .*: it is damaged") as told:
        Store(home)
    assert told.value.hint == "move the file away, then run midair daemon restore BACKUP"


@pytest.mark.parametrize("opened", [Store, Reserve])
def test_a_page_full_of_garbage_is_noticed_when_opening(home, opened):
    with open(home / "midair.db", "r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8192)
    with pytest.raises(StoreTrouble, match="it is damaged"):
        opened(home)


def test_a_database_of_a_newer_midair_is_left_alone(home):
    database = sqlite3.connect(home / "midair.db")
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreTrouble, match="it has version 99") as told:
        Store(home)
    assert "newer midair" in told.value.hint


def test_migrations_run_once_and_in_order(tmp_path):
    path = tmp_path / "midair.db"
    later = (*scripts(), "CREATE TABLE more (a)", "INSERT INTO more VALUES (1)")
    for _ in range(2):
        database = open_database(path, later)
        assert database.execute("SELECT a FROM more").fetchall() == [(1,)]
        assert database.execute("PRAGMA user_version").fetchone() == (len(later),)
        database.close()


def test_a_migration_that_fails_leaves_the_old_version(tmp_path):
    path = tmp_path / "midair.db"
    open_database(path, scripts()).close()
    with pytest.raises(StoreTrouble, match="cannot open the database"):
        open_database(path, (*scripts(), "CREATE TABLE more (a); CREATE TABLE more (a)"))
    database = open_database(path, scripts())
    assert database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'more'").fetchone() == (0,)
    database.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_said(home):
    home.chmod(0o500)
    try:
        with pytest.raises(StoreTrouble, match=r"cannot (open|write to) the database"):
            Store(home).commit(Commit("shop", 2.0, events=(EVENT,)))
    finally:
        home.chmod(0o700)


def test_a_database_that_turns_read_only_is_said(home):
    store = Store(home)
    store.database.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreTrouble, match="it cannot be written to") as told:
        store.commit(Commit("shop", 2.0, events=(EVENT,)))
    assert "permissions" in told.value.hint
    store.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(home):
    store = Store(home)
    pages = store.database.execute("PRAGMA page_count").fetchone()[0]
    store.database.execute(f"PRAGMA max_page_count = {pages}")  # the same error as a full file system
    with pytest.raises(StoreTrouble, match="the disk is full"):
        store.commit(Commit("shop", 2.0, events=(EVENT,) * 5000))
    store.database.execute("PRAGMA max_page_count = 1000000")
    store.commit(Commit("shop", 2.0, events=(EVENT,)))  # goes on by itself when there is space again
    assert store.events.newest() == 501
    store.close()


def test_a_database_locked_by_a_stranger_is_said(home):
    store = Store(home)
    store.database.execute("PRAGMA busy_timeout = 10")
    stranger = sqlite3.connect(home / "midair.db", isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreTrouble, match="another process has locked it"):
        store.commit(Commit("shop", 2.0, events=(EVENT,)))
    stranger.close()
    store.close()


def test_no_file_can_be_read_by_others(home):
    store = Store(home)
    store.commit(Commit("shop", 2.0, events=(EVENT,)))
    for file in home.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    store.close()


def test_a_copy_without_its_write_ahead_log_still_opens(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("copy")
    shutil.copy(home / "midair.db", other)
    Store(other).close()


@pytest.mark.parametrize(
    ("table", "column"), [("projects", "completed"), ("changes", "state"), ("rollouts", "body"), ("revisions", "body")]
)
def test_a_row_that_cannot_be_read_is_noticed_before_the_predecessor_ends(home, table, column):
    store = Store(home)
    Reserve(home).close()
    columns = store.database.execute(f"PRAGMA table_info({table})").fetchall()
    given = {"name": "shop", "project": "shop", column: b"{}"}
    of_type = {"TEXT": "web", "INTEGER": 1, "BLOB": b"null"}
    row = [given.get(name, of_type[kind]) for _, name, kind, *_ in columns]
    store.database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    with pytest.raises(StoreTrouble, match="cannot open the database"):
        Reserve(home)
    store.close()


def test_the_next_daemon_finds_the_files_beside_the_database(home):
    store = Store(home)
    store.commit(Commit("shop", 2.0, events=(EVENT,)))
    reserve = Reserve(home)
    store.close()
    assert (home / "midair.db-wal").stat().st_size
    Store(home).close()
    reserve.close()


def test_a_lock_of_somebody_else_holds_nobody_up(home):
    store, other = Store(home), sqlite3.connect(home / "midair.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StoreTrouble, match="another process has locked it"):
        store.commit(Commit("shop", 2.0))
    assert time.monotonic() - began < 2
    other.close()
    store.commit(Commit("shop", 2.0))
    store.close()
