"""Requests as the router counted them. accepted = answered + refused + aborted + lost + open."""

import msgspec

from midair.model.counters import COUNTERS, HISTOGRAMS, Record
from midair.model.seen import Tally


class LatencyView(msgspec.Struct, frozen=True):
    """Seconds. None: nothing was answered yet."""

    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None


class CountView(msgspec.Struct, frozen=True):
    """One revision of a service, or one replica of it."""

    service: str
    revision: str  # "" for requests that reached no replica; "older": revisions of long ago together
    replica: str = ""  # its id; "": all of the revision, also those that are gone
    counters: dict[str, int] = {}  # by name
    latency: dict[str, LatencyView] = {}  # "head": until the answer's head, without holds; "end": until its end


class CountsView(msgspec.Struct, frozen=True):
    """Everything counted for a project since its router's counts began."""

    project: str
    total: Tally
    services: tuple[CountView, ...] = ()  # by revision
    replicas: tuple[CountView, ...] = ()  # those that are there


def count_view(record: Record) -> CountView:
    """A record for people and programs."""
    counters = {counter.name: record[counter.name] for counter in COUNTERS}
    return CountView(
        record.service, record.revision, record.replica, counters, {name: _latency(record, name) for name in HISTOGRAMS}
    )


def _latency(record: Record, histogram: str) -> LatencyView:
    latency = record.latency(histogram)
    return LatencyView(*(latency.percentile(share) for share in (0.5, 0.9, 0.99)))
