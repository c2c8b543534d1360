"""What becomes of each request, counted in a file mapped into memory, so that `kill -9` loses no count.

One record of 64-bit numbers per service and revision. A request is counted as accepted once a replica was chosen for
it (before that, under the revision ""), and moves on if it is repeated elsewhere. So at any moment, also after the
death of the process, accepted = answered + refused + aborted + lost + open in every record.

The first place of a file is no record but says what the file is and how it is laid out. Files of routers from before
that have none there: they are read, and moved into one that has.
"""

import contextlib
import fcntl
import mmap
import os
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from midair.model.seen import Tally
from midair.router.base import BOUNDS_S, Latency, RevisionCount

# Places in a record. STATUS + 1 … STATUS + 5 are the answers by class of status, STATUS + 0 those that have none (TCP).
ACCEPTED, REFUSED, ABORTED, LOST, STATUS, CONNECTIONS, RETRIED, LATENCY_US, LATENCY = 0, 1, 2, 3, 4, 10, 11, 12, 13
LONG_LIVED_AT = 28  # the second since 1970 at which a WebSocket or an event stream was open last
_NAME_BYTES = 256
_NUMBERS = 32
_RECORD_BYTES = _NAME_BYTES + 8 * _NUMBERS
_PART_RECORDS = 128  # mapped at a time: 64 KiB
_REVISIONS_MAX = 64  # of a service; older ones are counted together, under the revision ""

_MAGIC = b"\0midair counts\0"  # no name of a service begins so
_LAYOUT = 1  # of the numbers in a record; 0: the same ones, in a file that does not say so

Count = memoryview  # of 32 unsigned 64-bit numbers


class Book:
    """The counts of one router process, alive or dead. The living one holds a lock on its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._parts: list[memoryview] = []
        self._places: dict[tuple[str, str], int] = {}  # the record of each, oldest first
        self._counts: dict[tuple[str, str], Count] = {}
        self.layout = _LAYOUT
        self.found_open = 0  # at the deaths of owners before, and counted as lost
        self._read()

    def lock(self) -> bool:
        """Take the file for this process. False when another one has it, or has moved its counts away."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(self._file).st_nlink > 0

    def count(self, service: str, revision: str, in_use: Container[str] = ()) -> Count:
        """The record of a service's revision, made if there is none. No record of a revision in use is taken for it."""
        known = self._counts.get((service, revision))
        return known if known is not None else self._add(service, revision, in_use)

    def settle(self) -> None:
        """Whatever was open when the last owner died is lost. Harmless when nothing was."""
        for count in self._counts.values():
            left = max(0, count[ACCEPTED] - _ended(count))
            count[LOST] += left
            self.found_open += left

    def absorb(self, other: "Book") -> None:
        """Move all counts of another file, which is dead, into this one, and delete that file.

        The file of a newer midair, which cannot be read here, is left for one that can read it."""
        if other.layout > _LAYOUT:
            other.close()
            return
        other.settle()
        for (service, revision), theirs in other._counts.items():
            _move(theirs, self.count(service, revision))
        self.found_open += other.found_open
        other.path.unlink(missing_ok=True)
        other.close()

    def read(self) -> tuple[RevisionCount, ...]:
        """All the counts, as values."""
        return tuple(_value(service, revision, count) for (service, revision), count in self._counts.items())

    def close(self) -> None:
        """Let go of the file. Counts handed out before must not be used any more."""
        fcntl.flock(self._file, fcntl.LOCK_UN)  # what is mapped would keep it
        os.close(self._file)

    def _read(self) -> None:
        for part in range(os.fstat(self._file).st_size // (_RECORD_BYTES * _PART_RECORDS)):
            self._map(part)
        if self._parts:
            self.layout = _layout_of(self._record(0))
        for place in range(self._first, self._places_mapped if self.layout <= _LAYOUT else 0):
            name = bytes(self._record(place)[:_NAME_BYTES]).rstrip(b"\0").decode(errors="replace")
            if not name:
                break
            service, _, revision = name.partition("\n")
            self._keep(service, revision, place)

    def _add(self, service: str, revision: str, in_use: Container[str]) -> Count:
        known = [one for of, one in self._counts if of == service and one]
        unused = (one for one in known if one not in in_use and _is_settled(self._counts[service, one]))
        oldest = next(unused, None) if revision and len(known) >= _REVISIONS_MAX else None
        if oldest is not None:
            _move(self._counts.pop((service, oldest)), self.count(service, ""))
            place = self._places.pop((service, oldest))
        else:
            place = self._first + len(self._places)
            if place >= self._places_mapped:
                self._grow()
        name = f"{service[-120:]}\n{revision[:120]}".encode()[:_NAME_BYTES]
        self._record(place)[:_NAME_BYTES] = name.ljust(_NAME_BYTES, b"\0")
        return self._keep(service, revision, place)

    def _keep(self, service: str, revision: str, place: int) -> Count:
        self._places[service, revision] = place
        self._counts[service, revision] = count = self._record(place)[_NAME_BYTES:].cast("Q")
        return count

    @property
    def _first(self) -> int:
        return 1 if self.layout else 0

    @property
    def _places_mapped(self) -> int:
        return len(self._parts) * _PART_RECORDS

    def _grow(self) -> None:
        size = _RECORD_BYTES * _PART_RECORDS
        os.posix_fallocate(self._file, len(self._parts) * size, size)
        self._map(len(self._parts))
        if len(self._parts) == 1:
            self._record(0)[:_NAME_BYTES] = (_MAGIC + bytes([_LAYOUT])).ljust(_NAME_BYTES, b"\0")

    def _map(self, part: int) -> None:
        size = _RECORD_BYTES * _PART_RECORDS
        self._parts.append(memoryview(mmap.mmap(self._file, size, offset=part * size)))

    def _record(self, place: int) -> memoryview:
        part, place = divmod(place, _PART_RECORDS)
        return self._parts[part][place * _RECORD_BYTES : (place + 1) * _RECORD_BYTES]


def open_book(folder: Path) -> Book:
    """The book of a router that begins in `folder`: it goes on with what dead ones left."""
    books = [Book(path) for path in sorted(folder.glob("router-*.counts"), key=_number)]
    dead = [book for book in books if book.layout <= _LAYOUT and book.lock()]  # a newer midair's is left alone
    for book in books:
        if book not in dead:
            book.close()
    # A living router's number is taken, and a file that does not say what it is is left for one that does.
    if not dead or dead[-1] is not books[-1] or dead[-1].layout != _LAYOUT:
        number = _number(books[-1].path) + 1 if books else 1
        book = Book(folder / f"router-{number}.counts")
        book.lock()
        dead.append(book)
    *others, book = dead
    book.settle()
    for other in others:
        book.absorb(other)
    return book


def books_of(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[Book]:
    """Those in the folder whose names are wanted. One that is empty may be somebody's in a moment."""
    for path in sorted(folder.glob("router-*.counts"), key=_number):
        with contextlib.suppress(FileNotFoundError):  # it was just moved into another one
            if is_wanted(path.name) and path.stat().st_size:
                book = Book(path)
                if book.layout <= _LAYOUT:
                    yield book
                else:
                    book.close()


def merged(*parts: tuple[RevisionCount, ...]) -> tuple[RevisionCount, ...]:
    """Counts of several processes, added up."""
    total: dict[tuple[str, str], RevisionCount] = {}
    for count in (count for part in parts for count in part):
        key = (count.service, count.revision)
        total[key] = _plus(total[key], count) if key in total else count
    return tuple(total.values())


def _plus(one: RevisionCount, other: RevisionCount) -> RevisionCount:
    latency = Latency(
        tuple(a + b for a, b in zip(one.latency.counts, other.latency.counts, strict=True)),
        one.latency.total_s + other.latency.total_s,
    )
    by_status = {status: one.by_status[status] + other.by_status[status] for status in one.by_status}
    return RevisionCount(
        one.service, one.revision, one.tally.plus(other.tally), by_status, latency,
        one.connections + other.connections, one.retried + other.retried,
        max(one.long_lived_at, other.long_lived_at),
    )  # fmt: skip


def _value(service: str, revision: str, count: Count) -> RevisionCount:
    tally = Tally(count[ACCEPTED], _answered(count), count[REFUSED], count[ABORTED], count[LOST])
    buckets = tuple(count[LATENCY : LATENCY + len(BOUNDS_S) + 1])
    by_status = {f"{digit}xx": count[STATUS + digit] for digit in range(1, 6)}
    latency = Latency(buckets, count[LATENCY_US] / 1e6)
    return RevisionCount(
        service, revision, tally, by_status, latency, count[CONNECTIONS], count[RETRIED], float(count[LONG_LIVED_AT])
    )


def _answered(count: Count) -> int:
    return sum(count[STATUS : STATUS + 6])


def _layout_of(record: memoryview) -> int:
    """What the first place of a file says; 0 when a record is there."""
    return record[len(_MAGIC)] if record[: len(_MAGIC)] == _MAGIC else 0


def _is_settled(count: Count) -> bool:
    return bool(count[ACCEPTED] == _ended(count))


def _move(source: Count, target: Count) -> None:
    last = max(source[LONG_LIVED_AT], target[LONG_LIVED_AT])
    for place in range(_NUMBERS):
        target[place] += source[place]
        source[place] = 0
    target[LONG_LIVED_AT] = last


def _ended(count: Count) -> int:
    return _answered(count) + count[REFUSED] + count[ABORTED] + count[LOST]


def _number(path: Path) -> int:
    digits = path.stem.rpartition("-")[2]
    return int(digits) if digits.isdigit() else 0
