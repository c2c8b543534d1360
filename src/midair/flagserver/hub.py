"""The sets of flags that are served now, and everyone who waits for the next change.

Knows neither HTTP nor gRPC. Slow readers cost nothing: each gets what changed since what it has, when it asks.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from functools import cached_property
from typing import Any

from midair.flags import wire
from midair.flags.definition import FlagSet
from midair.flags.engine import Table
from midair.flags.plain import encode, lines, stock

BEAT_S = 10.0


def clock() -> int:
    return int(time.time())


class Served:
    """One set in one version. Never changed."""

    def __init__(self, name: str, flags: FlagSet, before: "Served | None" = None) -> None:
        self.name = name
        self.flags = flags
        self.raw = lines(flags)
        parts = [flags.fractional.encode(), encode(flags.metadata)]
        digest = hashlib.blake2b(b"\n".join([*parts, *(encode(key) + raw for key, raw in self.raw.items())]))
        self.version = digest.hexdigest()[:16]
        self.since = time.time()
        self.differences: dict[str, bytes] = {}
        self.metadata = {"flagSetId": name, **flags.metadata, "version": self.version}
        self.table = Table(self.raw, version=flags.fractional, metadata=self.metadata, clock=clock)
        if before is not None:
            self.table.reuse(before.table)
        self.head = {
            "set": name,
            "version": self.version,
            "fractional": flags.fractional,
            "metadata": self.metadata,
            "beat": BEAT_S,
        }

    @cached_property
    def snapshot(self) -> bytes:
        return wire.snapshot(self.head, self.raw)

    @cached_property
    def stock(self) -> str:
        return encode({**stock(self.flags), "metadata": self.metadata}).decode()

    def difference(self, before: "Served") -> bytes:
        """Made once for all who have the same."""
        found = self.differences.get(before.version)
        if found is None:
            found = self.differences[before.version] = wire.difference(self.head, before.raw, self.raw)
        return found


class UnknownSet(Exception):
    """No set of that name is served, or none is named and several have flags. `names`: those that are served."""

    def __init__(self, name: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(name)
        self.name, self.names = name, names


class Hub:
    """`publish` puts a set into force; `changes` hands out the present one and each later one."""

    def __init__(self) -> None:
        self.sets: dict[str, Served] = {}
        # Further names of sets, by which they are found as well.
        self.aliases: dict[str, str] = {}
        self.waiting: set[asyncio.Event] = set()
        self.exposures: dict[tuple[str, str, str], int] = {}  # set, flag, variant
        self.seen: dict[tuple[str, str], float] = {}  # set, flag: when it was last evaluated
        self.misses: dict[tuple[str, str, str], int] = {}  # set, flag, error code
        # Sets that clients of flagd's sync protocol have: they evaluate by themselves and report nothing.
        self.uncounted: set[str] = set()
        self.counted: Callable[[str], None] = lambda name: None
        self.readers = 0
        self.closed = False

    def publish(self, name: str, flags: FlagSet) -> Served:
        before = self.sets.get(name)
        served = Served(name, flags, before)
        if before is not None and before.version == served.version:
            return before
        self.sets[name] = served
        self.wake()
        return served

    def withdraw(self, name: str) -> None:
        """The set is served no more, and its counts are dropped; who has it keeps it."""
        self.exposures = {place: number for place, number in self.exposures.items() if place[0] != name}
        self.misses = {place: number for place, number in self.misses.items() if place[0] != name}
        self.seen = {place: when for place, when in self.seen.items() if place[0] != name}
        self.uncounted.discard(name)
        self.alias(name)
        if self.sets.pop(name, None) is not None:
            self.wake()

    def alias(self, name: str, other: str = "") -> None:
        """Another name of a set, in the place of the one it had before; "": none."""
        self.aliases = {each: its for each, its in self.aliases.items() if its != name}
        if other and other != name:
            self.aliases[other] = name

    def shown(self, name: str) -> str:
        """What people call a set."""
        return next((other for other, its in self.aliases.items() if its == name), name)

    def wake(self) -> None:
        for event in list(self.waiting):
            event.set()

    def close(self) -> None:
        """Every stream ends."""
        self.closed = True
        self.wake()

    def find(self, selector: str = "") -> Served:
        """`flagSetId=shop` or `shop`; nothing names the only set that has flags. Raises UnknownSet."""
        name = selector.partition("=")[2] if selector.startswith("flagSetId=") else selector
        name = self.aliases.get(name, name)
        if name in self.sets:
            return self.sets[name]
        # Every project is served, also one without flags, so that its clients get flags as soon as it has some.
        filled = [served for served in self.sets.values() if served.flags.flags]
        if not name and 1 in (len(filled), len(self.sets)):
            return (filled or list(self.sets.values()))[0]
        raise UnknownSet(name, tuple(sorted(self.sets)))

    async def changes(self, selector: str, beat: float = BEAT_S) -> AsyncIterator[Served | None]:
        """The present set, then each newer one (the newest, if several came); None when nothing came for a while."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        self.waiting.add(event)
        self.readers += 1
        try:
            current: Served | None = None
            while not self.closed:
                event.clear()
                try:
                    served = self.find(selector)
                except UnknownSet:
                    if current is None:
                        raise
                    served = current  # withdrawn: those who have it keep it
                if served is not current:
                    current = served
                    yield served
                    continue
                timer = loop.call_later(beat, event.set)
                await event.wait()
                timer.cancel()
                if self.sets.get(served.name, served) is served and not self.closed:
                    yield None
        finally:
            self.readers -= 1
            self.waiting.discard(event)

    def count(self, name: str, exposures: list[tuple[str, str, int]], misses: list[tuple[str, str, int]]) -> None:
        now = time.time()
        for key, variant, number in exposures:
            place = (name, key, variant)
            self.exposures[place] = self.exposures.get(place, 0) + number
            self.seen[name, key] = now
        for key, code, number in misses:
            place = (name, key, code)
            self.misses[place] = self.misses.get(place, 0) + number
        self.counted(name)

    def report(self, name: str) -> dict[str, Any]:
        """What was counted for one set."""
        flags: dict[str, Any] = {}
        for (of, key, variant), number in self.exposures.items():
            if of == name:
                entry = flags.setdefault(key, {"variants": {}, "misses": {}, "last_seen": self.seen[name, key]})
                entry["variants"][variant] = number
        for (of, key, code), number in self.misses.items():
            if of == name:
                entry = flags.setdefault(key, {"variants": {}, "misses": {}, "last_seen": None})
                entry["misses"][code] = number
        for key in self.sets[name].flags.flags if name in self.uncounted and name in self.sets else ():
            entry = flags.setdefault(key, {"variants": {}, "misses": {}, "last_seen": None})
            entry["uncounted"] = True
        return flags
