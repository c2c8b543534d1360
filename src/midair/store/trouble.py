"""What went wrong with the database, said so that the reader knows what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from midair.errors import StoreTrouble

_REASONS = (
    ("not a database", "it is damaged", "move the file away, then run midair daemon restore BACKUP"),
    ("malformed", "it is damaged", "move the file away, then run midair daemon restore BACKUP"),
    ("readonly", "it cannot be written to", "check the permissions of the folder and of the file system"),
    ("unable to open", "it cannot be opened", "check the permissions of the folder"),
    ("disk is full", "the disk is full", "free some space; midair goes on by itself"),
    ("disk I/O error", "the disk does not work", "look into the kernel's log"),
    ("locked", "another process has locked it", "find it with lsof, and end it"),
)


@contextmanager
def told(verb: str, path: Path) -> Iterator[None]:
    """Turn what SQLite raises into StoreTrouble: cannot <verb> the database <path>: <reason>."""
    try:
        yield
    except sqlite3.Error as error:
        raise trouble(verb, path, str(error)) from error


def trouble(verb: str, path: Path, said: str) -> StoreTrouble:
    """The trouble for what SQLite said."""
    for part, reason, hint in _REASONS:
        if part in said:
            return StoreTrouble(f'cannot {verb} the database "{path}": {reason}', hint=hint)
    return StoreTrouble(f'cannot {verb} the database "{path}": {said}')
