"""The whole store: opened once by the daemon, used from its one thread. All that belongs together is one commit."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from midair.errors import StoreTrouble
from midair.model.change import Change
from midair.model.event import Event, Recorded
from midair.model.moment import Moment
from midair.model.project import Applied, Revision
from midair.model.rollout import Rollout
from midair.store.changes import Changes
from midair.store.connection import OPEN_S, copy_in_memory, open_database, scripts
from midair.store.events import Events
from midair.store.meta import Meta
from midair.store.projects import Projects
from midair.store.revisions import Revisions
from midair.store.rollouts import Rollouts
from midair.store.trouble import told

FILE = "midair.db"
TABLES = ("projects", "changes", "rollouts", "revisions")  # and "events", whose numbers belong to no project


class Commit(msgspec.Struct, frozen=True):
    """Decisions about one project that are stored together or not at all."""

    project: str
    at: Moment
    changes: tuple[Change, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    gone: tuple[str, ...] = ()  # services whose rollout is forgotten
    revisions: tuple[Revision, ...] = ()
    events: tuple[tuple[int | None, Event], ...] = ()  # (change, event)
    completed: Applied | None = None
    carried: Change | None = None  # one of `changes` that leads to another state now
    shown: str | None = None  # what people call the project from now on


class Reserve:
    """The database of a daemon that still has it open, for the one that is to follow. Changes nothing.

    Raises StoreTrouble unless this midair can go on with it. As long as it is open, the files beside the database stay,
    so that the follower needs no space on the disk to begin with.
    """

    def __init__(self, home: Path) -> None:
        path = home / FILE
        with told("open", path):
            self._database = sqlite3.connect(f"{path.as_uri()}?mode=ro", timeout=OPEN_S, uri=True)
        try:
            with closing(copy_in_memory(self._database, path, scripts())) as copy:
                _decode(copy)
        except msgspec.MsgspecError as error:
            self.close()
            raise StoreTrouble(f'cannot open the database "{path}": {error}') from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        self._database.close()


def _decode(database: sqlite3.Connection) -> None:
    """Read what a daemon begins with."""
    for name in Projects(database).names():
        Projects(database).completed(name)
        Changes(database).all(name)
        Rollouts(database).all(name)
        Revisions(database).all(name)


class Store:
    """The database of one `MIDAIR_HOME`. Reading and committing raise StoreTrouble."""

    def __init__(self, home: Path, *, around_commit: Callable[[str], None] = lambda moment: None) -> None:
        self.path = home / FILE
        self._around_commit = around_commit
        self.database = open_database(self.path, scripts())
        self.meta = Meta(self.database)
        self.projects = Projects(self.database)
        self.changes = Changes(self.database)
        self.rollouts = Rollouts(self.database)
        self.revisions = Revisions(self.database)
        self.events = Events(self.database)

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def commit(self, commit: Commit) -> tuple[Recorded, ...]:
        """Store it all at once. Returns the events with their numbers."""
        self._around_commit("before-commit")
        with self.transaction("write to"):
            self.projects.add(commit.project)
            for change in commit.changes:
                self.changes.put(change)
            if commit.carried is not None:
                self.changes.carry(commit.carried)
            for rollout in commit.rollouts:
                self.rollouts.put(commit.project, rollout)
            for service in commit.gone:
                self.rollouts.delete(commit.project, service)
            for revision in commit.revisions:
                self.revisions.put(commit.project, revision)
            if commit.completed is not None:
                self.projects.set_completed(commit.project, commit.completed)
            if commit.shown is not None:
                self.projects.show_as(commit.project, commit.shown)
            recorded = tuple(
                self.events.add(commit.project, change, commit.at, event) for change, event in commit.events
            )
            self.meta.set_moment(commit.at)
        self._around_commit("commit")
        return recorded

    def forget(self, project: str) -> None:
        """Remove all that is kept of a project. The numbers of its events are not used again."""
        with self.transaction("write to") as database:
            for table in (*TABLES, "events"):
                column = "name" if table == "projects" else "project"
                database.execute(f"DELETE FROM {table} WHERE {column} = ?", (project,))

    @contextmanager
    def transaction(self, verb: str) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        with told(verb, self.path):
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self.database
                self.database.execute("COMMIT")
            except BaseException:
                if self.database.in_transaction:
                    self.database.execute("ROLLBACK")
                raise
