"""How records of counts lie in a file: today's layout, and those of routers from before, which are read and moved.

A record is a name of 256 bytes, then numbers. The name is service, revision and, since layout 2, replica, in lines.
"""

import msgspec

from midair.model.counters import (
    BOUNDS_S,
    ENDED,
    FIRST_HISTOGRAM,
    MOMENTS,
    NUMBERS,
    PLACES,
    STATUSES,
    Record,
    histogram_place,
)

Count = memoryview  # of unsigned 64-bit numbers
Key = tuple[str, str, str]  # service, revision, replica

ACCEPTED, REFUSED, ABORTED, LOST = (PLACES[name] for name in ("accepted", "refused", "aborted", "lost"))
STATUS = PLACES["answered_tcp"]  # STATUS + 1 … STATUS + 5 are the answers by class of status
CONNECTIONS, REPEATED, LONG_LIVED_AT = (PLACES[name] for name in ("connections", "repeated", "long_lived_at"))
REQUEST_BYTES, ANSWER_BYTES = PLACES["request_bytes"], PLACES["answer_bytes"]
HEAD_US, END_US = histogram_place("head"), histogram_place("end")
HEAD, END = HEAD_US + 1, END_US + 1  # the first buckets
# No counters, and so not in the table: when the record was made, and the records whose numbers are in it (`Book`).
MADE_AT, CONTAINS = FIRST_HISTOGRAM - 3, (FIRST_HISTOGRAM - 2, FIRST_HISTOGRAM - 1)

NAME_BYTES = 256
MAGIC = b"\0midair counts\0"  # no name of a service begins so
LAYOUT = 2  # of the files that are written


class Layout(msgspec.Struct, frozen=True):
    """Of a file, as its first place says: a record's size, and where its numbers are in a record of today."""

    number: int
    numbers: int
    part_records: int  # mapped at a time, a multiple of pages
    first: int  # place of the first record
    places: tuple[tuple[int, int], ...]  # there and here
    long_lived_at: int = LONG_LIVED_AT

    @property
    def record_bytes(self) -> int:
        return NAME_BYTES + 8 * self.numbers

    @property
    def part_bytes(self) -> int:
        return self.record_bytes * self.part_records


_OLD_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_OLD_PLACES = (
    *((place, place) for place in range(11)),  # outcomes, statuses, connections
    (11, REPEATED),
    (12, END_US),
    *((13 + place, END + BOUNDS_S.index(bound)) for place, bound in enumerate(_OLD_BOUNDS_S)),
    (13 + len(_OLD_BOUNDS_S), END + len(BOUNDS_S)),
    (28, LONG_LIVED_AT),
)
# Files of layout 0 do not say what they are.
LAYOUTS = {
    0: Layout(0, numbers=32, part_records=128, first=0, places=_OLD_PLACES, long_lived_at=28),
    1: Layout(1, numbers=32, part_records=128, first=1, places=_OLD_PLACES, long_lived_at=28),
    LAYOUT: Layout(LAYOUT, NUMBERS, part_records=32, first=1, places=tuple((each, each) for each in range(NUMBERS))),
}


def ended(count: Count) -> int:
    """Requests with an outcome. The places of these have been the same in every layout."""
    return sum(count[place] for place in ENDED)


def is_settled(count: Count) -> bool:
    """Whether nothing is open."""
    return bool(count[ACCEPTED] == ended(count))


def move(source: Count, target: Count, layout: Layout) -> None:
    """Add the numbers of a record, which is laid out so, to one of today, and take them from it."""
    made_at = min(filter(None, (target[MADE_AT], source[MADE_AT] if layout.number == LAYOUT else 0)), default=0)
    for there, here in layout.places:
        value = source[there]
        target[here] = max(target[here], value) if here in MOMENTS else target[here] + value
        source[there] = 0
    target[MADE_AT] = made_at
    target[CONTAINS[0]] = target[CONTAINS[1]] = 0


def record_of(key: Key, count: Count, layout: Layout) -> Record:
    """The record as a value."""
    if layout.number == LAYOUT:
        return Record(*key, tuple(count))
    numbers = [0] * NUMBERS
    for there, here in layout.places:
        numbers[here] = count[there]
    return Record(*key, tuple(numbers))


def statuses_of(count: Count) -> tuple[int, ...]:
    """Answers by class of status, 1xx first."""
    return tuple(count[place] for place in STATUSES)
