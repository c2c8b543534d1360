"""A project as it is now: services, their revisions, their replicas."""

import msgspec

from midair.model.moment import Moment
from midair.model.project import Port
from midair.model.seen import Tally, Trouble
from midair.view.change import ChangeView


class ReplicaView(msgspec.Struct, frozen=True):
    """One replica."""

    id: str
    ordinal: int
    state: str  # pending starting ready serving draining stopping stopped unhealthy failed crashing completed …
    since: Moment
    attempt: int = 1
    address: str = ""
    pid: int | None = None
    weight: int = 0  # in the routes; 0: gets no new requests
    open: int = 0  # requests and connections inside it now
    exit_code: int | None = None
    detail: str = ""  # why it is unhealthy or failed


class RevisionView(msgspec.Struct, frozen=True):
    """One revision that has replicas or is to have some."""

    id: str
    role: str  # "goal": where the service goes or is · "old": on its way out
    replicas: tuple[ReplicaView, ...] = ()
    share: float = 0.0  # percent of new requests
    release: str | None = None


class ServiceView(msgspec.Struct, frozen=True):
    """One service."""

    name: str
    phase: str  # of its rollout
    reason: str = ""
    strategy: str = "rolling"
    revision: str | None = None  # the goal
    wanted: int = 0  # replicas
    ready: int = 0
    serving: int = 0
    ports: tuple[Port, ...] = ()
    hold: bool = False  # requests are held now
    held: int = 0  # this many
    paused: bool = False
    step: str = ""  # of a canary that is between its steps: which one, and what it waits for
    changed_at: Moment | None = None  # of its phase or last progress
    revisions: tuple[RevisionView, ...] = ()  # the goal first
    troubles: tuple[Trouble, ...] = ()
    observed: bool = True  # False: runtime or router could not be asked just now; what is shown may be old
    problem: str = ""  # why, or what the router says

    @property
    def in_place(self) -> int:
        """Replicas that do what they are for: get requests or, where none come in, run or have done their work."""
        if self.ports:
            return self.serving
        states = [(each.state, revision.role) for revision in self.revisions for each in revision.replicas]
        return sum(state == "ready" or (state, role) == ("completed", "goal") for state, role in states)


class RouterView(msgspec.Struct, frozen=True):
    """The project's router."""

    pid: int
    started_at: Moment
    death: str = ""  # what became of the one before, when that died not long ago


class ProjectSummary(msgspec.Struct, frozen=True):
    """One line of the list of projects."""

    name: str
    phase: str  # of its latest change, "" when there is none
    services: int
    serving: int
    wanted: int
    change: int | None = None
    folder: str = ""
    folder_id: str = ""  # device, inode and birth of the folder when it was seen last
    files: tuple[str, ...] = ()
    named: str = ""  # asked (by -p), file (by `name:`), folder
    key: str = ""  # the name that it had first, which volumes, networks and containers keep


class ProjectView(msgspec.Struct, frozen=True):
    """One project."""

    name: str
    now: Moment
    services: tuple[ServiceView, ...] = ()
    change: ChangeView | None = None  # the latest one
    router: RouterView | None = None
    counts: Tally = Tally()
    uncounted: tuple[str, ...] = ()  # services whose requests no router counts
    folder: str = ""
    files: tuple[str, ...] = ()
    problem: str = ""
