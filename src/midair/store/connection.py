"""Opens the database: checked, migrated, and readable by its owner alone."""

import os
import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from midair.errors import StoreTrouble
from midair.store.trouble import told, trouble

OPEN_S = 5.0  # for whoever has it locked while it is opened
BUSY_MS = 100  # afterwards: the daemon waits for nobody, since it does nothing else meanwhile


def scripts() -> tuple[str, ...]:
    """One SQL script for each version: schema.sql first, then migrations/ in order of their names."""
    here = resources.files(__package__)
    later = sorted((file for file in here.joinpath("migrations").iterdir() if file.name.endswith(".sql")), key=str)
    return (here.joinpath("schema.sql").read_text(), *(file.read_text() for file in later))


def open_database(path: Path, versions: Sequence[str]) -> sqlite3.Connection:
    """The database at `path`, made when it is absent, brought to the newest version, checked for damage."""
    with told("open", path):
        # Made here, since SQLite would make it readable for everybody; its -wal and -shm take the same permissions.
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreTrouble(
                f'cannot open the database "{path}": {error.strerror}', hint="check the permissions of the folder"
            ) from error
        connection = sqlite3.connect(path, timeout=OPEN_S, isolation_level=None)
        try:
            _prepare(connection, path, versions)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        except BaseException:
            connection.close()
            raise
    return connection


def copy_in_memory(connection: sqlite3.Connection, path: Path, versions: Sequence[str]) -> sqlite3.Connection:
    """A copy of the database, as `open_database` would have it. Raises StoreTrouble when it would not open it."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    try:
        with told("open", path):
            connection.backup(copy)
            _prepare(copy, path, versions)
    except BaseException:
        copy.close()
        raise
    return copy


def _check_version(connection: sqlite3.Connection, path: Path, versions: Sequence[str]) -> int:
    present = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if present > len(versions):
        raise StoreTrouble(
            f'cannot open the database "{path}": it has version {present}, and this midair knows {len(versions)}',
            hint="install the newer midair again, or restore a backup made by this one",
        )
    return present


def _prepare(connection: sqlite3.Connection, path: Path, versions: Sequence[str]) -> None:
    damage = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if damage != "ok":
        raise trouble("open", path, "malformed")
    connection.execute("PRAGMA journal_mode = WAL")
    # A commit survives the end of the process at once, and a power failure up to the last checkpoint: after that no
    # replica runs any more, so nothing is left that the lost commits would have to know of (decision 0071).
    connection.execute("PRAGMA synchronous = NORMAL")
    migrate(connection, path, versions)


def migrate(connection: sqlite3.Connection, path: Path, versions: Sequence[str]) -> None:
    """Run the scripts that this database has not seen, each in a transaction of its own with its version number."""
    for number in range(_check_version(connection, path, versions), len(versions)):
        connection.executescript(f"BEGIN IMMEDIATE; {versions[number]}; PRAGMA user_version = {number + 1}; COMMIT")
