"""What is decided about one project: the stored truth, and a copy of it in memory. Stored first, then known."""

from collections.abc import Callable, Iterable, Set

from midair.engine.bus import Bus
from midair.engine.force import in_force
from midair.model.change import Change
from midair.model.event import Event
from midair.model.moment import Moment
from midair.model.project import Applied, Revision
from midair.model.rollout import Rollout
from midair.rollout.phase import STEADY
from midair.store import Commit, Store

Marked = tuple[int | None, Event]  # a change's number, and what happened


class State:
    """The latest change and the rollouts of one project."""

    def __init__(
        self, store: Store, bus: Bus, project: str, tell_flags: Callable[[Applied], None] = lambda applied: None
    ) -> None:
        self._store, self._bus, self.project = store, bus, project
        self.name = store.projects.shown(project)  # what people call it
        self.change: Change | None = store.changes.latest(project)
        self.completed: Applied | None = store.projects.completed(project)
        self.rollouts: dict[str, Rollout] = store.rollouts.all(project)
        self._revisions: dict[tuple[str, str], Revision] = {}
        self._tell_flags = tell_flags
        self.is_busy: Callable[[str], bool] = lambda service: False  # an action for it is under way
        if self.completed is not None:
            tell_flags(self.completed)

    @property
    def under_way(self) -> Change | None:
        """The change that has not ended."""
        return self.change if self.change is not None and self.change.ended_at is None else None

    @property
    def base(self) -> Applied | None:
        """What the next change starts from: where the one under way goes, else what was completed last."""
        change = self.under_way
        return change.after if change is not None and change.phase in ("pending", "progressing") else self.completed

    @property
    def in_force(self) -> Applied | None:
        """What is to be now."""
        return in_force(self.change, self.completed, self.rollouts)

    @property
    def is_empty(self) -> bool:
        """True when nothing is there and nothing is to come."""
        return self.under_way is None and not self.rollouts

    def revision(self, service: str, revision: str) -> Revision | None:
        """One revision, from memory or from the store."""
        key = (service, revision)
        if key not in self._revisions:
            found = self._store.revisions.get(self.project, service, revision)
            if found is None:
                return None
            self._revisions[key] = found
        return self._revisions[key]

    def keep_revisions(self, used: Set[tuple[str, str]]) -> None:
        """Drop the others, by service and id, from memory: they were deleted from the store."""
        self._revisions = {key: revision for key, revision in self._revisions.items() if key in used}

    def commit(
        self,
        now: Moment,
        *,
        changes: tuple[Change, ...] = (),
        rollouts: Iterable[Rollout] = (),
        revisions: tuple[Revision, ...] = (),
        events: tuple[Marked, ...] = (),
        amended: Applied | None = None,
        carried: Change | None = None,
        shown: str | None = None,
    ) -> None:
        """Store it all at once, then know it. Without any difference nothing is written.

        `changes`: the newest one last. `amended`: the completed state with other flags, in force whatever becomes of
        the change under way. `carried`: that change, when it leads to other flags now as well. `shown`: another name.
        """
        changed = tuple(one for one in rollouts if self.rollouts.get(one.service) is not one)
        latest = changes[-1] if changes else self.change
        after = self.rollouts | {one.service: one for one in changed}
        has_ended = latest is not None and latest.ended_at is not None
        gone = tuple(name for name, one in after.items() if has_ended and _is_gone(one) and not self.is_busy(name))
        if not (changes or changed or revisions or events or gone):
            return
        completed = latest.after if changes and latest is not None and latest.phase == "completed" else amended
        if changes and latest is not None and latest.phase == "rolled_back" and self.completed is None:
            completed = latest.before  # what something else had started, which is midair's from now on
        if changes and latest is not None and latest.phase == "rolled_back" and self.completed is not None:
            revisions = tuple(self.completed.revisions.values())  # with the live settings they had
        kept = tuple(one for one in changed if one.service not in gone)
        self._store.commit(Commit(self.project, now, changes, kept, gone, revisions, events, completed, carried, shown))
        self.name = shown or self.name
        for revision in revisions:
            self._revisions[revision.service.name, revision.id] = revision
        self.change = latest
        if completed is not None:
            self.completed = completed
            self._tell_flags(completed)
        self.rollouts = {name: one for name, one in after.items() if name not in gone}
        self._bus.tell()


def _is_gone(rollout: Rollout) -> bool:
    """Nothing is left of a service that is no longer wanted."""
    return rollout.goal.revision is None and rollout.phase in STEADY and not rollout.replicas
