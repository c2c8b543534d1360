"""The table `changes`: the history."""

import sqlite3
from collections.abc import Iterable

import msgspec

from midair.model.change import Change
from midair.model.plan import Plan
from midair.model.project import Applied, Project

_NOWHERE = Applied(Project("", {}), {})
_COLUMNS = "state, before, after, plan"


class Changes:
    """One row for each change. What never changes after it was accepted is written once."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def next_id(self, project: str) -> int:
        """The id of the change that comes next."""
        row = self._database.execute("SELECT max(id) FROM changes WHERE project = ?", (project,)).fetchone()
        return int(row[0] or 0) + 1

    def get(self, project: str, change: int) -> Change | None:
        """One change."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE project = ? AND id = ?"
        row = self._database.execute(query, (project, change)).fetchone()
        return _change(row) if row else None

    def latest(self, project: str) -> Change | None:
        """The one under way; else the newest one. A change of flags may have come and gone beside it."""
        ended = "json_extract(CAST(state AS TEXT), '$.ended_at') IS NOT NULL"
        query = f"SELECT {_COLUMNS} FROM changes WHERE project = ? ORDER BY {ended}, id DESC LIMIT 1"
        row = self._database.execute(query, (project,)).fetchone()
        return _change(row) if row else None

    def all(self, project: str) -> tuple[Change, ...]:
        """All of them, oldest first."""
        query = f"SELECT {_COLUMNS} FROM changes WHERE project = ? ORDER BY id"
        return tuple(_change(row) for row in self._database.execute(query, (project,)))

    def put(self, change: Change) -> None:
        """Store where a change stands; the first time, all of it."""
        state = msgspec.json.encode(msgspec.structs.replace(change, before=None, after=_NOWHERE, plan=None))
        update = "UPDATE changes SET state = ? WHERE project = ? AND id = ?"
        if self._database.execute(update, (state, change.project, change.id)).rowcount:
            return
        rest = (_encode(change.before), _encode(change.after), _encode(change.plan))
        self._database.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?)", (change.project, change.id, state, *rest)
        )

    def carry(self, change: Change) -> None:
        """Let a change lead to another state than it was accepted with: flags were changed beside it."""
        update = "UPDATE changes SET after = ? WHERE project = ? AND id = ?"
        self._database.execute(update, (_encode(change.after), change.project, change.id))

    def delete(self, project: str, changes: Iterable[int]) -> None:
        """Forget them."""
        rows = [(project, change) for change in changes]
        self._database.executemany("DELETE FROM changes WHERE project = ? AND id = ?", rows)


def _encode(value: Applied | Plan | None) -> bytes | None:
    return None if value is None else msgspec.json.encode(value)


def _change(row: tuple[bytes, bytes | None, bytes, bytes | None]) -> Change:
    state, before, after, plan = row
    return msgspec.structs.replace(
        msgspec.json.decode(state, type=Change),
        before=msgspec.json.decode(before, type=Applied) if before else None,
        after=msgspec.json.decode(after, type=Applied),
        plan=msgspec.json.decode(plan, type=Plan) if plan else None,
    )
