"""Events of one project, read by a thread, so that whoever follows them can also look at the clock."""

import queue
import threading
from collections.abc import Iterator

from midair import errors
from midair.client import Client
from midair.view.event import EventView


class Feed:
    """Events after number `after`, as they come."""

    def __init__(self, client: Client, project: str | None, after: int | None) -> None:
        self._queue: queue.SimpleQueue[EventView | Exception | None] = queue.SimpleQueue()
        events = client.events(project, after=after, follow=True)
        threading.Thread(target=self._read, args=(events,), daemon=True, name="events").start()

    def _read(self, events: Iterator[EventView]) -> None:
        try:
            for event in events:
                self._queue.put(event)
            self._queue.put(None)
        except Exception as error:  # handed to the reader, which raises it
            self._queue.put(error)

    def next(self, timeout: float) -> EventView | None:
        """The next event, or None when there was none for so many seconds. Raises what ended the stream."""
        try:
            got = self._queue.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None
        if isinstance(got, Exception):
            raise got
        if got is None:
            raise errors.DaemonTrouble("cannot go on watching: the daemon has ended", hint="run midair status")
        return got
