"""A change as people see it: one entry of the history."""

import msgspec

from midair.model.change import Change
from midair.model.event import Failures
from midair.model.moment import Moment
from midair.model.seen import Tally
from midair.view.failures import failures_of
from midair.view.uncounted import uncounted_of

_OF_FILES = ("up", "undo", "restore")  # changes that bring code
ENDED = ("completed", "rolled_back", "stuck", "superseded")


class ChangeView(msgspec.Struct, frozen=True):
    """What was asked for, how it went, and what it cost."""

    id: int
    project: str
    kind: str  # up, undo, scale, restart, down, restore, flag
    phase: str  # pending progressing completed rolling_back rolled_back stuck superseded
    summary: str
    created_at: Moment
    ended_at: Moment | None = None
    by: str = ""
    why: str = ""  # in their words
    commit: str = ""  # of git, of the files that it went to; ends with "-dirty" when they differed from it
    reason: str = ""
    warnings: tuple[str, ...] = ()  # replicas that had to be killed
    undoes: int | None = None
    services: tuple[str, ...] = ()  # those it touches, in order
    revisions: dict[str, str] = {}  # by service, when it is done
    tally: Tally = Tally()  # requests during the change, once it has ended
    can_undo: bool = False  # the state before it can still be restored
    digest: str = ""  # of the plan that was accepted
    first_event: int = 0  # its events begin here: follow with `after=first_event - 1`
    token: str = ""  # of the request that asked for it
    waits_for: str = ""  # why it is stuck; it goes on trying
    uncounted: tuple[str, ...] = ()  # services of it whose requests no router counts
    cut: int = 0  # requests and connections that were still inside replicas at their drain deadline
    failures: tuple[Failures, ...] = ()  # answers of 5xx before and after, once it has ended

    @property
    def is_stuck(self) -> bool:
        """True while nothing moves although it has not ended: only a repair, or another change, helps."""
        return self.phase == "stuck" and not self.has_ended

    @property
    def has_ended(self) -> bool:
        """True when nothing more will happen to it."""
        return self.ended_at is not None


def change_view(change: Change, *, can_undo: bool = False, first_event: int = 0) -> ChangeView:
    """The view of a stored change."""
    return ChangeView(
        id=change.id,
        project=change.project,
        kind=change.kind,
        phase="stuck" if change.waits_for else change.phase,
        summary=change.summary,
        created_at=change.created_at,
        ended_at=change.ended_at,
        by=change.by,
        why=change.why,
        commit=change.after.project.commit if change.kind in _OF_FILES else "",
        reason=change.reason,
        warnings=change.warnings,
        undoes=change.undoes,
        services=change.plan.touched if change.plan else (),
        revisions={service: revision.id for service, revision in change.after.revisions.items()},
        tally=change.tally,
        can_undo=can_undo,
        digest=change.plan.digest if change.plan else "",
        first_event=first_event,
        token=change.token,
        waits_for=change.waits_for,
        uncounted=uncounted_of(change),
        cut=change.cut,
        failures=failures_of(change),
    )
