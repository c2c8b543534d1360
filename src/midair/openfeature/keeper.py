"""Keeps the flags of one client up to date: a thread that listens, comes back when the line breaks, and tells.

What it knows last stays in force whatever happens to the server.
"""

from __future__ import annotations

import atexit
import os
import threading
import time

from midair.flags import wire
from midair.flags.engine import Table, counts, empty, paced
from midair.openfeature import disk, fork
from midair.openfeature.http import Address, Exchange, Refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from midair.flags.rule import Flag

    Listener = Callable[[str, list[str], str], None]  # event, flags, message

READY, STALE, ERROR, CHANGED = "ready", "stale", "error", "changed"
FIRST_WAIT, LONGEST_WAIT = 0.05, 5.0
CONNECT_S = 5.0
LAST_WORD_S = 1.0  # a program that ends is not held up longer to deliver its last counts
QUIET_BEATS = 2.5  # heartbeats missed before the line counts as dead
GRACE_S = 1.0  # a server that restarts is back before anybody needs to hear of it


def breathe() -> None:
    """Lets other threads go on at once, where they would have to wait for their turn."""
    time.sleep(0)


def clock() -> int:
    return int(time.time())


class Keeper:
    """Owns the table. `listener` hears what happens, in the keeper's thread."""

    def __init__(self, address: Address, flag_set: str, path: str | None, headers: Mapping[str, str]) -> None:
        self.address = address
        self.flag_set = flag_set
        self.path = path
        self.headers = dict(headers)
        self.table: Table = empty(clock)
        self.put: Callable[[Table], None] = lambda table: None
        self.listener: Listener = lambda event, flags, message: None
        self.count_every = 10.0
        self.heard = 0.0  # when the server last said anything
        self.saved = ""
        self.problem = ""
        self.misses: dict[tuple[str, str], int] = {}  # (flag, error code) to number
        self.reported: dict[tuple[str, str], int] = {}
        self.left: list[Flag] = []  # replaced, but not counted to the end
        self.running = False
        self.begin()
        fork.follow(self)

    def begin(self) -> None:
        """What a process cannot share with its parent."""
        self.fresh = threading.Event()
        self.refused = threading.Event()
        self.stopping = threading.Event()
        self.flushing = threading.Lock()
        self.exchange: Exchange | None = None
        self.lost_at: float | None = None
        self.state = ""

    # Life

    def start(self) -> None:
        if self.running:
            return
        self.running = True
        self.state = ""
        if self.path and not self.table.loaded:
            self.recall(self.path)
        atexit.register(self.stop)
        self.launch()

    def launch(self) -> None:
        threading.Thread(target=self.listen, args=(self.stopping,), name="midair-flags", daemon=True).start()
        threading.Thread(target=self.tell, args=(self.stopping,), name="midair-exposures", daemon=True).start()

    def stop(self) -> None:
        if not self.running:
            return
        self.running = False
        atexit.unregister(self.stop)
        self.stopping.set()
        if self.exchange is not None:
            self.exchange.close()
        self.flush(LAST_WORD_S)

    def after_fork(self) -> None:
        """In the child: the parent's connection is the parent's, and its threads are not here."""
        if self.exchange is not None:
            self.exchange.connection.close()  # this copy of it; nothing is sent
        state = self.state
        self.begin()
        self.state = state
        self.reported = self.totals()
        self.misses = {}
        if self.running:
            self.launch()

    # Listening

    def listen(self, stopping: threading.Event) -> None:
        wait = FIRST_WAIT
        while not stopping.is_set():
            began = time.monotonic()
            try:
                self.follow_stream(stopping)
            except Refusal as refusal:
                self.broke(str(refusal), refused=refusal.status in (401, 403, 404))
            except (OSError, EOFError, ValueError, KeyError, AttributeError, TypeError) as problem:
                self.broke(str(problem) or type(problem).__name__)
            if time.monotonic() - began > LONGEST_WAIT:  # it had worked for a while
                wait = FIRST_WAIT
            # Not all clients at the same moment: a byte of chance is enough.
            stopping.wait(wait * (0.5 + os.urandom(1)[0] / 255))
            wait = min(wait * 2, LONGEST_WAIT)

    def follow_stream(self, stopping: threading.Event) -> None:
        exchange = Exchange(self.address.connect(CONNECT_S))
        self.exchange = exchange
        try:
            known = f"&known={self.table.metadata.get('version', '')}" if self.table.loaded else ""
            exchange.request(self.address, f"/flags/v1/stream?set={self.flag_set}{known}", self.headers)
            assembly = wire.Assembly(self.table.raw)
            for line in paced(exchange.lines(), breathe):
                if stopping.is_set():
                    return
                self.heard = time.monotonic()
                if assembly.take(line):
                    exchange.connection.settimeout(assembly.head.get("beat", 10.0) * QUIET_BEATS)
                    self.replace(assembly.head, assembly.flags)
                    self.works()
        finally:
            exchange.close()

    def replace(self, head: Mapping[str, Any], flags: Mapping[str, bytes]) -> None:
        metadata = {**head.get("metadata", {}), "version": head["version"]}
        table = Table(flags, version=head["fractional"], metadata=metadata, clock=clock)
        before = self.table
        dropped = table.reuse(before, breathe)
        changed = table.changed(before, breathe)
        self.left += dropped
        self.table = table
        self.put(table)
        if self.path and self.saved != head["version"] and (changed or not self.saved):
            disk.save(self.path, head, flags)
            self.saved = head["version"]
        if changed and before.loaded:
            self.listener(CHANGED, changed, "")

    def recall(self, path: str) -> None:
        found = disk.load(path)
        if found is not None:
            head, flags = found
            self.saved = head["version"]
            self.replace(head, flags)
            self.lost_at = time.monotonic() - GRACE_S  # until the server confirms them, they may be old

    def works(self) -> None:
        self.lost_at, self.problem = None, ""
        self.fresh.set()
        self.turn(READY, "")

    def broke(self, message: str, refused: bool = False) -> None:
        if self.stopping.is_set():
            return
        self.problem = message
        if refused:
            self.refused.set()
        now = time.monotonic()
        if self.lost_at is None:
            self.lost_at = now
        if not self.table.loaded:
            self.turn(ERROR, message)
        elif now - self.lost_at >= GRACE_S:
            self.turn(ERROR if refused else STALE, message)

    def turn(self, state: str, message: str) -> None:
        if self.state != state:
            self.state = state
            self.listener(state, [], message)

    # Counting

    def totals(self) -> dict[tuple[str, str], int]:
        return counts([*self.left, *list(self.table.compiled.values())])

    def tell(self, stopping: threading.Event) -> None:
        while not stopping.wait(self.count_every):
            self.flush()

    def flush(self, timeout: float = CONNECT_S) -> bool:
        """Sends what was counted since the last time; keeps it when that fails."""
        # Two at once, one of the clock and one of the end, would both send what neither has noted as sent.
        if not self.flushing.acquire(timeout=timeout):
            return False
        try:
            return self.flush_alone(timeout)
        finally:
            self.flushing.release()

    def flush_alone(self, timeout: float) -> bool:
        left, now = self.left, self.totals()
        shown = [[*place, number - self.reported.get(place, 0)] for place, number in now.items()]
        shown = [row for row in shown if row[2]]
        misses, self.misses = self.misses, {}
        if not shown and not misses:
            return True
        body = wire.text({"set": self.flag_set, "exposures": shown, "misses": [[*k, n] for k, n in misses.items()]})
        try:
            exchange = Exchange(self.address.connect(timeout))
            try:
                exchange.request(self.address, "/flags/v1/exposures", self.headers, body)
            finally:
                exchange.close()
        except (OSError, EOFError, Refusal):
            for place, number in misses.items():
                self.misses[place] = self.misses.get(place, 0) + number
            return False
        self.left = self.left[len(left) :]
        gone = counts(left)
        self.reported = {place: number - gone.get(place, 0) for place, number in now.items()}
        return True
