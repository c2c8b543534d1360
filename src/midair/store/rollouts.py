"""The table `rollouts`: where each service stands."""

import sqlite3

import msgspec

from midair.model.rollout import Rollout


class Rollouts:
    """One row for each service that has, or had, replicas."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def all(self, project: str) -> dict[str, Rollout]:
        """All of a project, by service."""
        query = "SELECT service, body FROM rollouts WHERE project = ? ORDER BY service"
        rows = self._database.execute(query, (project,))
        return {service: msgspec.json.decode(body, type=Rollout) for service, body in rows}

    def put(self, project: str, rollout: Rollout) -> None:
        """Store where a service stands."""
        row = (project, rollout.service, msgspec.json.encode(rollout))
        self._database.execute("INSERT OR REPLACE INTO rollouts VALUES (?, ?, ?)", row)

    def delete(self, project: str, service: str) -> None:
        """Forget a service that is gone."""
        self._database.execute("DELETE FROM rollouts WHERE project = ? AND service = ?", (project, service))
