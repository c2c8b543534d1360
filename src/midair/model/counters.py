"""What routers count: one table, from which a record's layout, sums, the API and `midair counts` are made.

A record is a row of unsigned 64-bit numbers: the counters in the order of the table, then each histogram as the sum of
its values in microseconds and one number per bucket.
"""

from collections.abc import Sequence

import msgspec

from midair.model.seen import Tally


class Counter(msgspec.Struct, frozen=True):
    """One number of a record. Its place is its place in the table: new ones are added at the end."""

    name: str
    help: str
    is_moment: bool = False  # the latest counts, in seconds since 1970; all others are added up


COUNTERS = (
    Counter("accepted", "requests that a replica was chosen for, or that wait for one"),
    Counter("refused", "requests refused by policy: malformed, too large, held for too long by an operator's hold"),
    Counter("aborted", "requests whose client went away first"),
    Counter("lost", "requests with no answer, or half of one"),
    Counter("answered_tcp", "connections of no known protocol that ended in order"),
    Counter("status_1xx", "upgraded connections that ended in order"),
    Counter("status_2xx", "answers with a status from 200 to 299"),
    Counter("status_3xx", "answers with a status from 300 to 399"),
    Counter("status_4xx", "answers with a status from 400 to 499"),
    Counter("status_5xx", "answers with a status from 500 on"),
    Counter("connections", "upgraded connections and those of no known protocol, ever"),
    Counter("repeated", "requests that a replica gave up, and that were sent to another one"),
    Counter("request_bytes", "bytes sent to replicas"),
    Counter("answer_bytes", "bytes that came from replicas"),
    Counter("long_lived_at", "when a WebSocket or an event stream was open last", is_moment=True),
)
HISTOGRAMS = ("head", "end")  # seconds until an answer's head, without time in a hold; and until its end

# Eight bounds per doubling from 1 ms to 60 s, so that a percentile is right within 9 %, and those that others show:
# 2.5 ms, the 14 of OpenTelemetry's HTTP metrics (http.server.request.duration), 30 s.
BOUNDS_S = tuple(
    sorted(
        {0.001 * 2 ** (step / 8) for step in range(128)}
        | {0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0}
    )
)

FIRST_HISTOGRAM = 24  # after room for more counters
HISTOGRAM_NUMBERS = 2 + len(BOUNDS_S)
NUMBERS = 320
PLACES = {counter.name: place for place, counter in enumerate(COUNTERS)}
MOMENTS = tuple(place for place, counter in enumerate(COUNTERS) if counter.is_moment)
STATUSES = tuple(PLACES[f"status_{digit}xx"] for digit in range(1, 6))
ENDED = tuple(PLACES[name] for name in ("refused", "aborted", "lost", "answered_tcp")) + STATUSES


class Latency(msgspec.Struct, frozen=True):
    """A histogram of seconds. `counts[i]` had at most `BOUNDS_S[i]`, the last had more."""

    counts: tuple[int, ...]
    total_s: float = 0.0

    def percentile(self, share: float) -> float | None:
        """The bound under which `share` of the values lie; the last bound stands for everything above it."""
        total = sum(self.counts)
        if total == 0:
            return None
        wanted, passed = share * total, 0
        for count, bound in zip(self.counts, (*BOUNDS_S, BOUNDS_S[-1]), strict=True):
            passed += count
            if passed >= wanted:
                return bound
        return BOUNDS_S[-1]


def tally_of(numbers: Sequence[int]) -> Tally:
    """The outcomes in a record."""
    accepted, refused, aborted, lost = (numbers[PLACES[name]] for name in ("accepted", "refused", "aborted", "lost"))
    answered = numbers[PLACES["answered_tcp"]] + sum(numbers[place] for place in STATUSES)
    return Tally(accepted, answered, refused, aborted, lost)


class Record(msgspec.Struct, frozen=True):
    """What was counted for one replica, or for those of a revision that are gone."""

    service: str
    revision: str  # "" for requests that reached no replica; OLDER for revisions of long ago together
    replica: str  # its id; "": those that are gone
    numbers: tuple[int, ...]  # NUMBERS of them, by place

    def __getitem__(self, name: str) -> int:
        """A counter by its name."""
        return self.numbers[PLACES[name]]

    def latency(self, histogram: str) -> Latency:
        """A histogram by its name."""
        first = histogram_place(histogram)
        return Latency(self.numbers[first + 1 : first + HISTOGRAM_NUMBERS], self.numbers[first] / 1e6)

    def plus(self, other: "Record") -> "Record":
        """Both together, under the name of this one."""
        numbers = [a + b for a, b in zip(self.numbers, other.numbers, strict=True)]
        for place in MOMENTS:
            numbers[place] = max(self.numbers[place], other.numbers[place])
        return Record(self.service, self.revision, self.replica, tuple(numbers))


OLDER = "older"  # in place of a revision's id


def histogram_place(histogram: str) -> int:
    """Where the sum of a histogram is; its buckets follow."""
    return FIRST_HISTOGRAM + HISTOGRAMS.index(histogram) * HISTOGRAM_NUMBERS


def added(records: "tuple[Record, ...]") -> "tuple[Record, ...]":
    """Records of several routers or files: one for each name, in the order in which names come first."""
    total: dict[tuple[str, str, str], Record] = {}
    for record in records:
        name = (record.service, record.revision, record.replica)
        total[name] = total[name].plus(record) if name in total else record
    return tuple(total.values())
