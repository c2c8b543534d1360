"""The table `revisions`: everything that replicas can be made from."""

import sqlite3

import msgspec

from midair.model.project import Revision


class Revisions:
    """One row for each revision of a service. What is written again has other live settings, which make no revision."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def get(self, project: str, service: str, revision: str) -> Revision | None:
        """One revision."""
        query = "SELECT body FROM revisions WHERE project = ? AND service = ? AND id = ?"
        row = self._database.execute(query, (project, service, revision)).fetchone()
        return msgspec.json.decode(row[0], type=Revision) if row else None

    def all(self, project: str) -> tuple[Revision, ...]:
        """All of a project."""
        rows = self._database.execute("SELECT body FROM revisions WHERE project = ?", (project,))
        return tuple(msgspec.json.decode(row[0], type=Revision) for row in rows)

    def put(self, project: str, revision: Revision) -> None:
        """Store it."""
        row = (project, revision.service.name, revision.id, msgspec.json.encode(revision))
        self._database.execute("INSERT OR REPLACE INTO revisions VALUES (?, ?, ?, ?)", row)

    def delete(self, project: str, service: str, revision: str) -> None:
        """Forget one."""
        where = (project, service, revision)
        self._database.execute("DELETE FROM revisions WHERE project = ? AND service = ? AND id = ?", where)
