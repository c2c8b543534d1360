"""Imperatives for the shells. Performing one twice is harmless."""

import msgspec

from midair.model.ids import ReplicaId
from midair.model.moment import Span
from midair.model.project import Port
from midair.model.seen import Route


class StartReplica(msgspec.Struct, frozen=True, tag="start-replica"):
    """Start the replica, unless it is alive or its record says that this attempt or a later one was started already."""

    replica: ReplicaId
    attempt: int = 1

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"start {self.replica}"


class StopReplica(msgspec.Struct, frozen=True, tag="stop-replica"):
    """Begin the ordered end of a replica and return: `pre_stop`, stop signal, grace period, kill.

    It is seen as stopping and then as exited. The core asks for it only when no request can be inside.
    """

    replica: ReplicaId
    signal: str = "SIGTERM"
    grace_s: Span = 10.0

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"stop {self.replica}"


class RemoveReplica(msgspec.Struct, frozen=True, tag="remove-replica"):
    """Forget an exited replica: its record and its files, not its log."""

    replica: ReplicaId

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"remove {self.replica}"


class ResizeReplica(msgspec.Struct, frozen=True, tag="resize-replica"):
    """Change the limits of a running replica in place to what the project in force says."""

    replica: ReplicaId

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"resize {self.replica}"


class SetRoutes(msgspec.Struct, frozen=True, tag="set-routes"):
    """Make these the routes of a service. A router refuses a generation older than one it has seen.

    A replica that was in the routes and is not any more drains: requests inside it go on, none begins. At the drain
    timeout the router closes long-lived connections politely if `long_lived` is "close". In those that are `leaving`
    WebSockets and event streams are closed by a time of their own, and connections that only carry bytes once they are
    idle. With `hold` and no routes new requests wait because nothing is ready; with `hold` and routes they wait
    because an operator wants it.
    """

    service: str
    generation: int
    routes: tuple[Route, ...] = ()
    hold: bool = False  # let new requests wait instead of routing or refusing them
    ports: tuple[Port, ...] = ()  # to listen on; a port that is listed no more is closed
    hold_timeout_s: Span = 30.0
    hold_max_requests: int = 1000
    drain_timeout_s: Span = 30.0
    long_lived: str = "close"
    stick_by: str | None = None
    trusted_proxies: tuple[str, ...] = ()  # networks; (): no proxy is known, and forwarding headers are added to
    front: bool = False  # the service has a front: nothing is in force before its rules are
    leaving: tuple[ReplicaId, ...] = ()  # not routed, and to be stopped
    websocket_s: Span | None = None  # for WebSockets of those; None: the drain timeout
    stream_s: Span | None = None  # for event streams of those; None: the drain timeout

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"routes {self.service}"


class Candidate(msgspec.Struct, frozen=True):
    """A replica that is to be routed to once the router has connected to it."""

    replica: ReplicaId
    attempt: int
    address: str  # as in a route
    ports: tuple[int, ...]  # to connect to, each once
    http: tuple[int, ...] = ()  # of these: where a request has to be answered, whatever the status
    turn: int = 0  # raised where it has to be connected to once more


class ReachReplicas(msgspec.Struct, frozen=True, tag="reach-replicas"):
    """Connect to these replicas of a service, and to no others; the router reports what comes of it.

    A connection that was made is not repeated. One that is refused is tried again while the replica is a candidate.
    """

    service: str
    candidates: tuple[Candidate, ...] = ()

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"reach {self.service}"


class MakeFront(msgspec.Struct, frozen=True, tag="make-front"):
    """See to it that the front of a service exists, runs, and is as the project in force says."""

    service: str

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"front {self.service}"


class RemoveFront(msgspec.Struct, frozen=True, tag="remove-front"):
    """Remove the front of a service. The core asks for it when no replica of the service is left."""

    service: str

    @property
    def key(self) -> str:
        """What failures of this action are counted under."""
        return f"front {self.service}"


FrontAction = MakeFront | RemoveFront
RuntimeAction = StartReplica | StopReplica | RemoveReplica | ResizeReplica
RouterAction = SetRoutes | ReachReplicas
Action = RuntimeAction | RouterAction | FrontAction
