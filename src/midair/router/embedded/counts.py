"""What becomes of each request, counted in a file mapped into memory, so that `kill -9` loses no count.

One record of numbers per service, revision and replica. A request is counted as accepted once a replica was chosen for
it (before that, under the revision ""), and moves on if it is repeated elsewhere. So at any moment, also after the
death of the process, accepted = answered + refused + aborted + lost + open in every record. Records of replicas that
are gone are added to their revision's.

The first place of a file is no record but says what the file is and how it is laid out.
"""

import fcntl
import mmap
import os
import time
from collections.abc import Container
from pathlib import Path

from midair.model.counters import OLDER, Record, tally_of
from midair.model.seen import Tally
from midair.router.base import RevisionCount
from midair.router.embedded.record import (
    ACCEPTED,
    CONTAINS,
    LAYOUT,
    LAYOUTS,
    LOST,
    MADE_AT,
    MAGIC,
    NAME_BYTES,
    Count,
    Key,
    Layout,
    ended,
    is_settled,
    move,
    record_of,
    statuses_of,
)

_REVISIONS_MAX = 64  # of a service; older ones are counted together


class Book:
    """The counts of one router process, alive or dead. The living one holds a lock on its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._parts: list[memoryview] = []
        self._places: dict[Key, int] = {}
        self._counts: dict[Key, Count] = {}
        self._free: list[int] = []  # places of no record, the next one last
        self.layout = LAYOUTS.get(self._layout_number())  # None: that of a newer midair
        self.found_open = 0  # at the deaths of owners before, and counted as lost
        self._read()

    @property
    def is_current(self) -> bool:
        """Whether it is laid out as new ones are."""
        return self.layout is LAYOUTS[LAYOUT]

    def lock(self) -> bool:
        """Take the file for this process. False when another one has it, or has moved its counts away."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        for place in tuple(self._places.values()):  # what a death kept the owner before from releasing
            for contained in self._contained(place):
                self._release(contained)
            if self.is_current:
                self._forget_contained(place)
        return os.fstat(self._file).st_nlink > 0

    def count(self, service: str, revision: str, replica: str = "") -> Count:
        """The record of that name, made if there is none."""
        key = (service, revision, replica)
        known = self._counts.get(key)
        return known if known is not None else self._add(key)

    def settle(self) -> None:
        """Whatever was open when the last owner died is lost. Harmless when nothing was."""
        for count in self._counts.values():
            left = max(0, count[ACCEPTED] - ended(count))
            count[LOST] += left
            self.found_open += left

    def fold(self, service: str, alive: Container[str]) -> None:
        """Add the records of replicas that are gone to their revision's, and those of the oldest revisions together."""
        mine = [key for key in self._counts if key[0] == service]
        for key in mine:
            if key[2] and key[2] not in alive and is_settled(self._counts[key]):
                self._merge(key, (service, key[1], ""))
        revisions = {key[1] for key in mine} - {"", OLDER}
        if len(revisions) > _REVISIONS_MAX:
            in_use = {key[1] for key in self._counts if key[0] == service and key[2]}
            oldest = sorted(revisions - in_use, key=lambda each: self._counts[service, each, ""][MADE_AT])
            for revision in oldest[: len(revisions) - _REVISIONS_MAX]:
                if is_settled(self._counts[service, revision, ""]):
                    self._merge((service, revision, ""), (service, OLDER, ""))

    def absorb(self, other: "Book") -> None:
        """Move all counts of another file, which is dead, into this one, and delete that file.

        The file of a newer midair, which cannot be read here, is left for one that can read it."""
        if other.layout is None:
            other.close()
            return
        other.settle()
        for key, theirs in other._counts.items():
            move(theirs, self.count(*key), other.layout)
        self.found_open += other.found_open
        other.path.unlink(missing_ok=True)
        other.close()

    def read(self) -> tuple[RevisionCount, ...]:
        """The outcomes by service and revision."""
        if self.layout is None:
            return ()
        total: dict[tuple[str, str], tuple[Tally, tuple[int, ...], int]] = {}
        for (service, revision, _), count in self._counts.items():
            tally, statuses, moment = total.get((service, revision), (Tally(), (0,) * 5, 0))
            moment = max(moment, count[self.layout.long_lived_at])
            statuses = tuple(a + b for a, b in zip(statuses, statuses_of(count), strict=True))
            total[service, revision] = (tally.plus(tally_of(count)), statuses, moment)
        return tuple(
            RevisionCount(*key, tally, {f"{number}xx": each for number, each in enumerate(statuses, 1)}, float(moment))
            for key, (tally, statuses, moment) in total.items()
        )

    def records(self) -> tuple[Record, ...]:
        """All the counts, as values."""
        layout = self.layout
        return tuple(record_of(key, count, layout) for key, count in self._counts.items()) if layout else ()

    def close(self) -> None:
        """Let go of the file. Counts handed out before must not be used any more."""
        fcntl.flock(self._file, fcntl.LOCK_UN)  # what is mapped would keep it
        os.close(self._file)

    def _layout_number(self) -> int:
        """What the first place of the file says; 0 when a record is there."""
        first = os.pread(self._file, len(MAGIC) + 1, 0)
        return first[-1] if first[:-1] == MAGIC else 0 if first else LAYOUT

    def _read(self) -> None:
        if self.layout is None:
            return
        for part in range(os.fstat(self._file).st_size // self.layout.part_bytes):
            self._map(self.layout, part)
        named: dict[int, Key] = {}
        for place in range(self.layout.first, len(self._parts) * self.layout.part_records):
            key = _key_of(bytes(self._name(place)))
            if key is not None:
                named[place] = key
            else:
                self._free.append(place)
        contained = {other for place in named for other in self._contained(place)}
        for place, key in named.items():
            if place not in contained:
                self._keep(key, place)

    def _add(self, key: Key) -> Count:
        place = self._take()
        self._numbers(place)[MADE_AT] = time.time_ns()
        self._rename(place, key)
        return self._keep(key, place)

    def _keep(self, key: Key, place: int) -> Count:
        self._places[key] = place
        self._counts[key] = count = self._numbers(place)
        return count

    def _merge(self, source: Key, target: Key) -> None:
        """Add a record to another one. Counts of either that were handed out go on to count.

        Killed at any moment, its numbers are in the file once: the record of both stands for the two it contains."""
        ours = self.count(*target)
        theirs, place = self._counts.pop(source), self._places.pop(source)
        both = self._take()
        sums = self._numbers(both)
        for count in (theirs, ours):
            move(memoryview(bytearray(count)).cast("Q"), sums, LAYOUTS[LAYOUT])
        sums[CONTAINS[0]], sums[CONTAINS[1]] = place, self._places[target]
        self._rename(both, target)
        ours[:] = sums
        self._forget_contained(self._places[target])
        self._release(place)
        self._release(both)

    def _contained(self, place: int) -> tuple[int, ...]:
        count = self._numbers(place)
        return tuple(count[each] for each in CONTAINS if count[each]) if self.is_current else ()

    def _forget_contained(self, place: int) -> None:
        count = self._numbers(place)
        count[CONTAINS[0]] = count[CONTAINS[1]] = 0

    def _take(self) -> int:
        """A place for a record: nothing is counted in it."""
        if not self._free:
            self._grow()
        place = self._free.pop()
        count = self._numbers(place)
        count[:] = memoryview(bytes(count.nbytes)).cast("Q")
        return place

    def _release(self, place: int) -> None:
        self._name(place)[0] = 0
        self._free.append(place)

    def _rename(self, place: int, key: Key) -> None:
        service, revision, replica = key
        ordinal = replica.rpartition("/")[2]
        text = f"{service[-120:]}\n{revision[:100]}\n{ordinal[:20]}".encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\0")
        name = self._name(place)
        name[1:] = text[1:]
        name[0] = text[0]  # from now on it is a record

    def _grow(self) -> None:
        layout = LAYOUTS[LAYOUT]
        end = len(self._parts) * layout.part_records
        os.posix_fallocate(self._file, len(self._parts) * layout.part_bytes, layout.part_bytes)
        self._map(layout, len(self._parts))
        self._free += reversed(range(max(layout.first, end), end + layout.part_records))
        if end == 0:
            self._name(0)[:] = (MAGIC + bytes([LAYOUT])).ljust(NAME_BYTES, b"\0")

    def _map(self, layout: Layout, part: int) -> None:
        self._parts.append(memoryview(mmap.mmap(self._file, layout.part_bytes, offset=part * layout.part_bytes)))

    def _name(self, place: int) -> memoryview:
        return self._record(place)[:NAME_BYTES]

    def _numbers(self, place: int) -> Count:
        return self._record(place)[NAME_BYTES:].cast("Q")

    def _record(self, place: int) -> memoryview:
        assert self.layout is not None, "records of a newer midair are not read"
        part, place = divmod(place, self.layout.part_records)
        size = self.layout.record_bytes
        return self._parts[part][place * size : (place + 1) * size]


def _key_of(name: bytes) -> Key | None:
    """None: there is no record."""
    if not name[0]:
        return None
    service, _, rest = name.rstrip(b"\0").decode(errors="replace").partition("\n")
    revision, _, ordinal = rest.partition("\n")
    return service, revision, f"{service}/{revision}/{ordinal}" if ordinal else ""
