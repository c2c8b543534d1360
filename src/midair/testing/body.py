"""One simulated replica as it really is, whatever anybody knows of it, and what the router does for one service."""

from typing import Literal

from midair.model.action import Candidate, SetRoutes
from midair.model.ids import ReplicaId
from midair.model.moment import Moment
from midair.model.seen import ReplicaSeen, ReplicaState

Quality = Literal["good", "exits", "never", "sick", "dies", "job", "bad-job", "mute", "refuses", "late"]
FOREVER = float("inf")


class Body:
    """One replica as it really is."""

    def __init__(self, replica: ReplicaId, quality: Quality) -> None:
        self.id = replica
        self.quality = quality
        self.state: ReplicaState = "exited"
        self.attempt = 0
        self.made_at: Moment = 0.0
        self.since = 0.0
        self.ready_at: Moment | None = None
        self.address = ""
        self.exit_code: int | None = None
        self.ready_due = self.sick_due = self.end_due = FOREVER
        self.is_open = False  # it takes connections
        self.open_due = self.shut_due = FOREVER
        self.ends: list[Moment] = []  # when it ended by itself
        self.end_code = 0
        self.stop_asked = False
        self.limits = ""
        self.resize = False  # its limits are not what they are to be
        self.published = False  # something else made it, and published its port past the router
        self.own_volumes: tuple[str, ...] = ()
        self.requests: list[Moment] = []  # when each request inside ends
        self.idle = 0  # connections inside that never end by themselves, and on which nobody waits for an answer
        self.image: ReplicaSeen | None = None  # as seen, until something changes

    def become(self, state: ReplicaState, now: Moment) -> None:
        """Enter a state."""
        self.state, self.since, self.image = state, now, None

    def look(self) -> ReplicaSeen:
        """What the runtime says about it."""
        if self.image is None:
            self.image = ReplicaSeen(
                self.id, self.state, self.since, self.attempt, self.address, self.ready_at, self.exit_code,
                resize=self.resize and self.state not in ("stopping", "exited"), published=self.published,
                own_volumes=self.own_volumes,
            )  # fmt: skip
        return self.image

    @property
    def inside(self) -> int:
        """Requests and connections."""
        return len(self.requests) + self.idle

    @property
    def due(self) -> Moment:
        """When it changes next by itself."""
        return min(self.ready_due, self.sick_due, self.end_due, self.open_due, self.shut_due)


class Table:
    """What the router does for one service."""

    def __init__(self) -> None:
        self.settled = SetRoutes("", 0)
        self.ahead: list[tuple[Moment, SetRoutes]] = []  # asked for, not in force yet
        self.out_since: dict[ReplicaId, Moment] = {}
        self.turn = 0
        self.unreachable_until = 0.0
        self.candidates: tuple[Candidate, ...] = ()
        self.answers: set[tuple[ReplicaId, int, int, str]] = set()  # candidates that it has connected to
