"""Facts in the history, in the past tense. Stored, streamed, and shown to people."""

import msgspec

from midair.model.ids import ReplicaId


class ChangeAccepted(msgspec.Struct, frozen=True, tag="change-accepted"):
    """A change was stored and will be carried out."""

    change: int
    kind: str  # up, undo, scale …
    summary: str


class Failures(msgspec.Struct, frozen=True):
    """Answers of 5xx among all that have a status: of a service's revision before a change, and of its new one."""

    service: str
    after: float  # share, 0 to 1
    answers: int  # of the new revision
    before: float | None = None  # None: it answered nothing
    is_worse: bool = False  # at 100 answers or more: above 1 %, and at least twice what it was


class ChangeEnded(msgspec.Struct, frozen=True, tag="change-ended"):
    """A change reached its end: completed, rolled_back or superseded. Or it is stuck, and goes on trying."""

    change: int
    phase: str
    reason: str = ""
    accepted: int = 0  # requests during the change
    lost: int = 0
    uncounted: tuple[str, ...] = ()  # services whose requests no router counts
    cut: int = 0  # at drain deadlines
    failures: tuple[Failures, ...] = ()


class PhaseChanged(msgspec.Struct, frozen=True, tag="phase-changed"):
    """A rollout went from one phase to another."""

    service: str
    before: str
    after: str
    reason: str = ""


class ReplicaStarted(msgspec.Struct, frozen=True, tag="replica-started"):
    """A start was asked for."""

    replica: ReplicaId
    attempt: int = 1


class ReplicaReady(msgspec.Struct, frozen=True, tag="replica-ready"):
    """A replica passed its checks, and the router has connected to it."""

    replica: ReplicaId
    note: str = ""  # ports without a listener, for people
    is_job: bool = False  # it runs; its work is over when it ends well


class ReplicaWaiting(msgspec.Struct, frozen=True, tag="replica-waiting"):
    """A replica is not ready yet, and this is why: the last answer of its check, or of the router."""

    replica: ReplicaId
    reason: str


class ReplicaFailed(msgspec.Struct, frozen=True, tag="replica-failed"):
    """A replica ended or turned unhealthy without being asked to."""

    replica: ReplicaId
    reason: str


class ReplicaEndedByHand(msgspec.Struct, frozen=True, tag="replica-ended-by-hand"):
    """Somebody else stopped it, or removed what was left of it; it stays so until the next `up`."""

    replica: ReplicaId
    how: str  # stopped, removed


class ProjectTakenDown(msgspec.Struct, frozen=True, tag="project-taken-down"):
    """Somebody else stopped and removed everything, as `docker compose down` does: it counts as `midair down`."""


class ProjectRenamed(msgspec.Struct, frozen=True, tag="project-renamed"):
    """People call the project otherwise from now on. Nothing that runs has changed."""

    before: str
    after: str
    by: str = ""  # who asked


class ReplicaDraining(msgspec.Struct, frozen=True, tag="replica-draining"):
    """A replica was taken out of the routes."""

    replica: ReplicaId


class ReplicaStopping(msgspec.Struct, frozen=True, tag="replica-stopping"):
    """A stop was asked for. `cut` requests were still inside at the drain deadline."""

    replica: ReplicaId
    cut: int = 0


class ReplicaStopped(msgspec.Struct, frozen=True, tag="replica-stopped"):
    """A replica that was told to stop has ended, in order or because it was killed after its grace period."""

    replica: ReplicaId
    exit_code: int | None = None  # as a shell has it: 137 for SIGKILL; None: not known
    killed_after_s: float | None = None  # how long it had after its stop signal; None: it was not killed
    signal: str = ""  # the stop signal that it did not end by


class ReplicaResized(msgspec.Struct, frozen=True, tag="replica-resized"):
    """Its limits were changed while it ran."""

    replica: ReplicaId


class RoutesAsked(msgspec.Struct, frozen=True, tag="routes-asked"):
    """The router was asked for a new generation of routes."""

    service: str
    generation: int
    weights: dict[str, int]  # by replica
    hold: bool = False


class WishTaken(msgspec.Struct, frozen=True, tag="wish-taken"):
    """An operator's wish was taken: pause, resume, promote, abort, scale, hold, release."""

    service: str
    wish: str


class CommandBegan(msgspec.Struct, frozen=True, tag="command-began"):
    """Somebody ran a command beside the replicas of a service. What it was is nobody else's business."""

    session: str  # which end is this one's
    how: str  # exec, run
    service: str
    by: str = ""
    replica: str = ""  # of an exec


class CommandEnded(msgspec.Struct, frozen=True, tag="command-ended"):
    """A command ended, or was ended with its client."""

    session: str
    how: str
    service: str
    exit_code: int
    took_s: float
    by: str = ""
    replica: str = ""


class RouterDied(msgspec.Struct, frozen=True, tag="router-died"):
    """The router died, and another one took its place."""

    back_at: float  # when that one listened, by the wall clock
    lost: int = 0  # requests that were inside it
    took_s: float | None = None  # from one to the other; None: no control plane was there to see it
    refused: bool = True  # connections made in between were refused, which nobody could count; else they waited


class MachineRestarted(msgspec.Struct, frozen=True, tag="machine-restarted"):
    """The machine ended and was started again, and with it the router."""

    back_at: float  # when the router listened, by the wall clock
    lost: int = 0  # requests that were inside it


Event = (
    ChangeAccepted | ChangeEnded | PhaseChanged | ReplicaStarted | ReplicaReady | ReplicaWaiting | ReplicaFailed
    | ReplicaDraining | ReplicaStopping | ReplicaStopped | ReplicaEndedByHand | ReplicaResized | RoutesAsked
    | RouterDied | MachineRestarted | WishTaken | ProjectTakenDown | ProjectRenamed | CommandBegan | CommandEnded
)  # fmt: skip


class Recorded(msgspec.Struct, frozen=True):
    """An event as it stands in the history of a project."""

    number: int  # counts up within a midair home
    at: float
    project: str
    change: int | None
    event: Event
