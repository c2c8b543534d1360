"""The table `events`: what happened."""

import sqlite3

import msgspec

from midair.model.event import Event, Recorded
from midair.model.moment import Moment

_EVENT = msgspec.json.Decoder(Event)


class Events:
    """One row for each event, numbered in the order of their commits."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def add(self, project: str, change: int | None, at: Moment, event: Event) -> Recorded:
        """Store an event and give it a number."""
        insert = "INSERT INTO events (project, change, at, body) VALUES (?, ?, ?, ?)"
        number = self._database.execute(insert, (project, change, at, msgspec.json.encode(event))).lastrowid
        assert number is not None, "an inserted row has a number"
        return Recorded(number, at, project, change, event)

    def after(self, number: int, *, project: str | None = None, limit: int = 1000) -> tuple[Recorded, ...]:
        """The next events with a higher number."""
        query = "SELECT number, project, at, change, body FROM events WHERE number > ?1"
        if project is not None:
            query += " AND project = ?3"
        arguments = (number, limit) if project is None else (number, limit, project)
        rows = self._database.execute(f"{query} ORDER BY number LIMIT ?2", arguments)
        return tuple(Recorded(row[0], row[2], row[1], row[3], _EVENT.decode(row[4])) for row in rows)

    def newest(self) -> int:
        """The highest number ever given, 0 when there was none."""
        row = self._database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        return int(row[0]) if row else 0

    def first_of(self, project: str, change: int) -> int:
        """The number of a change's first event, 0 when none is kept."""
        query = "SELECT min(number) FROM events WHERE project = ? AND change = ?"
        return int(self._database.execute(query, (project, change)).fetchone()[0] or 0)

    def newest_of(self, project: str, kind: type[Event]) -> Recorded | None:
        """The last event of one kind, as far back as events are kept."""
        query = """SELECT number, project, at, change, body FROM events
                   WHERE project = ? AND CAST(body AS TEXT) LIKE ? ORDER BY number DESC LIMIT 1"""
        opening = f'{{"type":"{kind.__struct_config__.tag}"%'
        row = self._database.execute(query, (project, opening)).fetchone()
        return None if row is None else Recorded(row[0], row[2], row[1], row[3], _EVENT.decode(row[4]))

    def skip_to(self, number: int) -> None:
        """Give higher numbers than `number` from now on, so that followers of a restored state miss nothing."""
        if self.newest() >= number:
            return
        self._database.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
        self._database.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (number,))

    def prune(self, project: str, *, keep: int) -> None:
        """Forget all but the newest `keep` events of a project."""
        delete = """DELETE FROM events WHERE project = ?1 AND number <= (
                      SELECT number FROM events WHERE project = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)"""
        self._database.execute(delete, (project, keep))
