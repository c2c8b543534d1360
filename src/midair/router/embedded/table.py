"""Which replica gets a request. Pure: no sockets, no clock, and chance only as a hash of what the client sent.

Weights hold between revisions exactly, by smooth weighted round robin, so that 10 percent is 10 percent also when the
new revision is slower. Within a revision the less busy of two neighbours in turn is taken. With `stick_by` a user's
revision is drawn by weighted rendezvous hashing: raising a weight only ever moves users to that revision.
"""

import math
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

import mmh3


class Choice(Protocol):
    """What the table knows of a replica."""

    revision: str
    weight: int
    open: int  # requests inside
    ejected: bool  # it refused connections lately


C = TypeVar("C", bound=Choice)


class Group(Generic[C]):
    """The replicas of one revision."""

    __slots__ = ("current", "members", "next", "revision", "weight")

    def __init__(self, revision: str, members: list[C]) -> None:
        self.revision = revision
        self.members = members
        self.weight = sum(member.weight for member in members)
        self.current = 0  # of the smooth round robin
        self.next = 0

    def pick(self, avoid: C | None) -> C:
        """The next in turn, or its neighbour if that is less busy for its weight."""
        members = self.members
        size = len(members)
        place = self.next
        self.next = place + 1 if place + 1 < size else 0
        one = members[place]
        if size == 1:
            return one
        other = members[self.next]
        if one is avoid:
            return other
        if other is avoid or (not one.open and one.weight == other.weight):
            return one
        return other if (other.open + 1) * one.weight < (one.open + 1) * other.weight else one


class Table(Generic[C]):
    """The routes of one service, ready for choosing."""

    __slots__ = ("_groups", "_only", "replicas")

    def __init__(self, replicas: Iterable[C] = ()) -> None:
        self.replicas = list(replicas)
        self._groups: list[Group[C]] = []
        self._only: Group[C] | None = None
        self.rebuild()

    def rebuild(self) -> None:
        """Take note of ejections. If all are ejected, none is."""
        routed = [replica for replica in self.replicas if replica.weight > 0]
        usable = [replica for replica in routed if not replica.ejected] or routed
        by_revision: dict[str, list[C]] = {}
        for replica in usable:
            by_revision.setdefault(replica.revision, []).append(replica)
        self._groups = [Group(revision, members) for revision, members in by_revision.items()]
        self._only = self._groups[0] if len(self._groups) == 1 else None

    def pick(self, avoid: C | None = None, key: Callable[[], bytes | None] | None = None) -> C | None:
        """A replica for the next request; `avoid` has just failed, `key` tells who the user is."""
        if self._only is not None:
            return self._only.pick(avoid)
        if not self._groups:
            return None
        user = key() if key else None
        group = self._turn() if user is None else self._draw(user)
        if len(group.members) == 1 and group.members[0] is avoid:
            group = next(other for other in self._groups if other is not group)
        return group.pick(avoid)

    def _turn(self) -> Group[C]:
        best, total = self._groups[0], 0
        for group in self._groups:
            group.current += group.weight
            total += group.weight
            if group.current > best.current:
                best = group
        best.current -= total
        return best

    def _draw(self, user: bytes) -> Group[C]:
        return max(self._groups, key=lambda group: _score(user, group))


def _score(user: bytes, group: Group[C]) -> float:
    fraction = (mmh3.hash(user + b"\n" + group.revision.encode(), signed=False) + 0.5) / 2**32
    return group.weight / -math.log(fraction)
