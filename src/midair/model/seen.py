"""Everything observed about one service at one moment. Made by shells, read by the core."""

from typing import Literal

import msgspec

from midair.model.ids import ReplicaId, RevisionId
from midair.model.moment import Moment

ReplicaState = Literal["starting", "ready", "unhealthy", "stopping", "exited"]


class ReplicaSeen(msgspec.Struct, frozen=True):
    """What the runtime says about one replica that it has a record of."""

    id: ReplicaId
    state: ReplicaState
    since: Moment  # when it entered this state
    attempt: int = 1  # how many times it was started; StartReplica raises it
    address: str = ""  # host:port of its own, once known
    ready_at: Moment | None = None  # when this attempt became ready first
    exit_code: int | None = None  # when exited; None: not known; negative: the signal
    pid: int | None = None
    resize: bool = False  # its limits are not those that the project says, and can be changed in place
    killed: bool = False  # its grace period was over, so that it or what it had started was killed
    published: bool = False  # clients reach it past the router, on a port that the router is to have
    listens: tuple[int, ...] = ()  # TCP ports that others reach it at, in a network of its own, as far as is known
    loopback: tuple[int, ...] = ()  # ports at which it listens for itself alone, inside a network of its own
    checked: bool = False  # a check of its own says that it is ready; else it runs, or its port accepts connections
    detail: str = ""  # why it is unhealthy or exited, for people
    by_hand: Literal["", "stopped", "removed"] = ""  # exited: somebody else did that, and it is to stay so
    is_remembered: bool = False  # a one-shot that did its work, of which nothing is left; made by the core
    own_volumes: tuple[str, ...] = ()  # where it keeps data in volumes made for its number alone; its successor's too


def listens_elsewhere(port: int, listens: tuple[int, ...], loopback: tuple[int, ...]) -> str:
    """Where a container that refuses connections at a port listens instead, for people. "" where that is not known."""
    if port in loopback:
        return ": it listens on 127.0.0.1 inside the container"
    others = sorted({*listens, *loopback} - {port})
    return f": it listens on {' and '.join(map(str, others))}" if others and port not in listens else ""


class FrontSeen(msgspec.Struct, frozen=True):
    """The front of one service, as the runtime sees it."""

    service: str
    fit: bool = True  # it runs, and is as the project in force says
    detail: str = ""  # why it is not fit, for people


class Route(msgspec.Struct, frozen=True):
    """One replica in the routes of a service. Draining replicas have no route."""

    replica: ReplicaId
    address: str  # host:port
    weight: int = 100  # relative to the other routes


ReachState = Literal["waiting", "refused", "connected", "answered"]


class Reach(msgspec.Struct, frozen=True):
    """What came of the router's own connection to one port of a replica."""

    replica: ReplicaId
    attempt: int
    turn: int
    address: str
    port: int
    state: ReachState
    reason: str = ""  # why it is not reached yet, for people


class RouteSeen(msgspec.Struct, frozen=True):
    """What the router says about one service."""

    settled: int  # generation in force; every request begun since is routed by it
    routes: tuple[Route, ...] = ()  # those of the settled generation
    hold: bool = False  # the settled generation holds requests
    held: int = 0  # requests waiting now
    open: dict[ReplicaId, int] = {}  # requests and upgraded connections inside each replica, counted at `settled`
    failing: tuple[ReplicaId, ...] = ()  # routed, but refusing the router's connections
    reach: tuple[Reach, ...] | None = (
        None  # of the candidates named last; None: an older router, which connects to none
    )
    problem: str = ""  # why the last generation asked for could not be applied
    # Of the open ones, while requests are held: connections on which an answer is waited for longer than drain.timeout.
    overdue: dict[ReplicaId, int] = {}


class Tally(msgspec.Struct, frozen=True):
    """Requests counted by the router: accepted = answered + refused + aborted + lost (+ open)."""

    accepted: int = 0
    answered: int = 0
    refused: int = 0  # by policy: malformed, too large, held too long by an operator's hold
    aborted: int = 0  # the client went away first
    lost: int = 0  # no answer, or half of one

    def plus(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(*(a + b for a, b in zip(self._values(), other._values(), strict=True)))

    def minus(self, other: "Tally") -> "Tally":
        """What was counted since `other`."""
        return Tally(*(a - b for a, b in zip(self._values(), other._values(), strict=True)))

    @property
    def has_negative(self) -> bool:
        """Whether any of the counts is less than 0: the two that it is the difference of are of different routers."""
        return min(self._values()) < 0

    def _values(self) -> tuple[int, ...]:
        return (self.accepted, self.answered, self.refused, self.aborted, self.lost)


class Trouble(msgspec.Struct, frozen=True):
    """An action that failed and has not worked since. Lets back-off be pure."""

    key: str  # Action.key of what failed
    count: int  # failures in a row
    last_at: Moment
    text: str  # what went wrong, for people


class GateSeen(msgspec.Struct, frozen=True):
    """What a gate measured about a revision."""

    name: str
    revision: RevisionId
    verdict: Literal["successful", "failed", "inconclusive", "error"]
    at: Moment
    text: str = ""


class Seen(msgspec.Struct, frozen=True):
    """One service, observed. None means not known now, which is different from empty."""

    replicas: tuple[ReplicaSeen, ...] | None = None  # every replica of the service that the runtime knows
    route: RouteSeen | None = None
    troubles: tuple[Trouble, ...] = ()
    gates: tuple[GateSeen, ...] = ()
    asked_at: Moment | None = None  # when this control plane asked for the rollout's `asked` last; None: not yet
    front: FrontSeen | None = None  # None: it has none
    starting: tuple[ReplicaId, ...] = ()  # whose start is being carried out now: on record or not, soon they are alive
