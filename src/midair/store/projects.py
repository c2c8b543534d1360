"""The table `projects`."""

import sqlite3

import msgspec

from midair.model.project import Applied


class Projects:
    """One row for each project that ever had a change."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def names(self) -> tuple[str, ...]:
        """All of them, in order."""
        return tuple(row[0] for row in self._database.execute("SELECT name FROM projects ORDER BY name"))

    def add(self, name: str) -> None:
        """Make sure that there is a row."""
        self._database.execute("INSERT OR IGNORE INTO projects (name) VALUES (?)", (name,))

    def completed(self, name: str) -> Applied | None:
        """The last completed state."""
        row = self._database.execute("SELECT completed FROM projects WHERE name = ?", (name,)).fetchone()
        return msgspec.json.decode(row[0], type=Applied) if row and row[0] else None

    def shown(self, name: str) -> str:
        """What people call it: another name since `midair rename`."""
        row = self._database.execute("SELECT shown FROM projects WHERE name = ?", (name,)).fetchone()
        return row[0] if row and row[0] else name

    def show_as(self, name: str, shown: str) -> None:
        """Call it this from now on."""
        self._database.execute("UPDATE projects SET shown = ? WHERE name = ?", (shown if shown != name else "", name))

    def set_completed(self, name: str, applied: Applied) -> None:
        """Remember where a failed change goes back to."""
        body = msgspec.json.encode(applied)
        self._database.execute("UPDATE projects SET completed = ? WHERE name = ?", (body, name))
