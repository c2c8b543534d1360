"""The table `meta`: single values."""

import sqlite3

from midair.model.moment import Moment


class Meta:
    """Values by key."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def moment(self) -> Moment:
        """The last moment anything was stored at. midair's clock never goes back behind it."""
        row = self._database.execute("SELECT value FROM meta WHERE key = 'moment'").fetchone()
        return float(row[0]) if row else 0.0

    def set_moment(self, now: Moment) -> None:
        """Remember the moment of a commit."""
        self._database.execute("INSERT OR REPLACE INTO meta VALUES ('moment', ?)", (repr(now),))
