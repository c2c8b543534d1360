"""All chance in a simulation goes through one chooser: seeded for volume, placed for every small case."""

from collections.abc import Callable, Iterator
from random import Random
from typing import Protocol


class Chooser(Protocol):
    """Answers two kinds of question: how the world happens to be, and whether it misbehaves here."""

    def pick(self, count: int, why: str) -> int:
        """A number below `count`. 0 is the ordinary case."""

    def fault(self, why: str) -> bool:
        """Whether a fault happens at this point."""


class Seeded:
    """Drawn from a seed. `heat` is how likely a fault is at each point."""

    def __init__(self, seed: int, heat: float = 0.0) -> None:
        self._random = Random(seed).random
        self.heat = heat

    def pick(self, count: int, why: str) -> int:
        """A number below `count`, all as likely."""
        return int(self._random() * count)

    def fault(self, why: str) -> bool:
        """True as often as `heat` says."""
        return self._random() < self.heat


class Placed:
    """Always the ordinary case, with faults at exactly these points, counted from 0."""

    def __init__(self, at: tuple[int, ...] = ()) -> None:
        self._at = at
        self.points = 0
        self.armed = True  # while it is not, nothing fails and no point is counted

    def pick(self, count: int, why: str) -> int:
        """The ordinary case."""
        return 0

    def fault(self, why: str) -> bool:
        """True at the chosen points."""
        if not self.armed:
            return False
        self.points += 1
        return self.points - 1 in self._at


def every_placement(
    run: Callable[[Placed], None], most: int, shuffled: Random | None = None
) -> Iterator[tuple[int, ...]]:
    """Run with every placement of up to `most` faults, and yield each one. A run tells how many points it passed.

    `shuffled`: in no order, so that whoever stops early has a fair sample.
    """
    ahead: list[tuple[int, ...]] = [()]
    while ahead:
        if shuffled is not None:
            place = shuffled.randrange(len(ahead))
            ahead[place], ahead[-1] = ahead[-1], ahead[place]
        at = ahead.pop()
        chooser = Placed(at)
        try:
            run(chooser)
        except AssertionError as violation:
            violation.add_note(f"with faults at the points {at}")
            raise
        yield at
        if len(at) < most:
            first = at[-1] + 1 if at else 0
            ahead.extend((*at, point) for point in range(first, chooser.points))
