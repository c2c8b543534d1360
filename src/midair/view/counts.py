"""Requests as the router counted them. accepted = answered + refused + aborted + lost + open."""

import msgspec

from midair.model.seen import Tally


class CountView(msgspec.Struct, frozen=True):
    """One service at one revision."""

    service: str
    revision: str  # "" for requests that reached no replica
    tally: Tally
    by_status: dict[str, int] = {}  # "2xx" … "5xx" of the answers
    p50_s: float | None = None  # time to the end of the answer; None: nothing was answered yet
    p99_s: float | None = None
    connections: int = 0  # upgraded and TCP connections, ever
    retried: int = 0  # requests sent to a second replica


class CountsView(msgspec.Struct, frozen=True):
    """Everything counted for a project since its router's counts began."""

    project: str
    total: Tally
    services: tuple[CountView, ...] = ()


def percentile(counts: tuple[int, ...], bounds: tuple[float, ...], share: float) -> float | None:
    """The bound under which `share` of the values lie; the last bound stands for everything above it."""
    total = sum(counts)
    if total == 0:
        return None
    wanted, passed = share * total, 0
    for count, bound in zip(counts, (*bounds, bounds[-1]), strict=True):
        passed += count
        if passed >= wanted:
            return bound
    return bounds[-1]
