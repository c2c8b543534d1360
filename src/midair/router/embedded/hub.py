"""What all connections of one router process share: limits, counts, memories, the clock's sweep, and who is told."""

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from midair.router.embedded import answer, head
from midair.router.embedded.counts import Book
from midair.router.embedded.limits import Limits


class Timed(Protocol):
    """A connection that is looked at now and then."""

    def look(self, now: float) -> None:
        """End what has taken too long."""


class Hub:
    """Made once in a router process."""

    def __init__(self, book: Book, limits: Limits, loop: asyncio.AbstractEventLoop) -> None:
        self.book = book
        self.limits = limits
        self.loop = loop
        self.blocks = head.known_blocks()
        self.answers = answer.known_answers()
        self.timed: set[Timed] = set()
        self.retiring = False  # a successor takes over: announce the end of every connection
        self.hand_over: Callable[[Any], bool] = lambda connection: False  # an idle connection, to the successor
        self.reached: dict[str, set[int]] = {}  # ports of each host at which a replica has taken a connection
        self._request_ids = map((os.urandom(6).hex() + "-%x").__mod__, itertools.count(1))
        self._tasks: set[asyncio.Task[None]] = set()
        self._nudges: list[Callable[[], None]] = []
        self._nudged = False
        loop.call_later(limits.sweep_s, self._sweep)

    def request_id(self) -> bytes:
        """Unlike any other made here or in another process."""
        return next(self._request_ids).encode()

    def note_reached(self, host: str, port: int) -> None:
        """A replica there has taken a connection."""
        self.reached.setdefault(host, set()).add(port)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something in the background and keep it alive."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` when routes settled or a draining replica became idle."""
        self._nudges.append(nudge)

    def changed(self) -> None:
        """Something that watchers wait for has happened; they are told once for many."""
        if not self._nudged:
            self._nudged = True
            self.loop.call_soon(self._tell)

    def _tell(self) -> None:
        self._nudged = False
        for nudge in self._nudges:
            nudge()

    def _sweep(self) -> None:
        self.loop.call_later(self.limits.sweep_s, self._sweep)
        now = time.monotonic()
        for timed in list(self.timed):
            try:
                timed.look(now)
            except Exception as error:  # one that fails must not stop the clock for all others
                self.loop.call_exception_handler({"message": "cannot look at a connection", "exception": error})
