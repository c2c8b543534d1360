"""Tells followers that there is something new. Stored events are read from the store, so a slow follower loses none."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from midair.view.event import EventView

_PASSING_LINES_KEPT = 10_000  # for a follower that does not read; the oldest go first


class Follower:
    """One who wants to be told. Passing lines are handed over, since they are stored nowhere."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self._passing: deque[EventView] = deque(maxlen=_PASSING_LINES_KEPT)

    def tell(self, line: EventView | None = None) -> None:
        """Something was stored, or a passing line came by."""
        if line is not None:
            self._passing.append(line)
        self._news.set()

    async def wait(self, timeout: float) -> bool:
        """Return when there is something new: True; or after `timeout` seconds: False."""
        try:
            async with asyncio.timeout(timeout):
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    def passing(self) -> list[EventView]:
        """Passing lines since the last call."""
        lines = list(self._passing)
        self._passing.clear()
        return lines


class Bus:
    """All followers of one daemon."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self.closed = False
        self.comes_again = False  # a successor takes over: followers come back to it

    @contextmanager
    def follow(self) -> Iterator[Follower]:
        """Be told, for as long as the block runs."""
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def tell(self, line: EventView | None = None) -> None:
        """Events were stored, or a passing line came by."""
        for follower in self._followers:
            follower.tell(line)

    def close(self, *, comes_again: bool) -> None:
        """Let every follower go: the daemon ends."""
        self.closed, self.comes_again = True, comes_again
        self.tell()
