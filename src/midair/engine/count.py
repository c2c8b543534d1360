"""What a change cost: the router's counts at its end minus those at its beginning."""

from msgspec.structs import replace

from midair.model.change import Change
from midair.model.event import ChangeEnded, Event
from midair.model.moment import Moment
from midair.model.seen import Tally
from midair.router.base import BOUNDS_S, RouterSeen
from midair.view.counts import CountsView, CountView, percentile
from midair.view.uncounted import uncounted_of

_DAY_S = 86400.0
_AHEAD_S = 60.0  # by which the clocks of two processes may differ


def total(seen: RouterSeen | None) -> Tally:
    """All services and revisions together."""
    tally = Tally()
    for count in seen.counts if seen is not None else ():
        tally = tally.plus(count.tally)
    return tally


def had_long_lived(seen: RouterSeen | None, now: Moment) -> frozenset[str]:
    """Services that had WebSockets or event streams in the last day. Moments that lie ahead are not believed.

    An older router notes none, and adds up those of the counts that it moves."""
    counts = seen.counts if seen is not None else ()
    return frozenset(count.service for count in counts if now - _DAY_S < count.long_lived_at < now + _AHEAD_S)


def counted(change: Change, seen: RouterSeen | None) -> Change:
    """The change with what was counted since it began."""
    now = total(seen)
    since = now.minus(change.baseline)
    # Any count that went down belongs to another router, whose counts began at 0.
    return replace(change, tally=now if since.has_negative else since)


def told(event: Event, change: Change) -> Event:
    """The event that says how a change ended, with its count."""
    if not isinstance(event, ChangeEnded) or event.change != change.id:
        return event
    tally = change.tally
    return replace(event, accepted=tally.accepted, lost=tally.lost, uncounted=uncounted_of(change), cut=change.cut)


def counts_view(project: str, seen: RouterSeen | None) -> CountsView:
    """All counts for people."""
    counts = seen.counts if seen is not None else ()
    return CountsView(
        project=project,
        total=total(seen),
        services=tuple(
            CountView(
                service=count.service,
                revision=count.revision,
                tally=count.tally,
                by_status=count.by_status,
                p50_s=percentile(count.latency.counts, BOUNDS_S, 0.5),
                p99_s=percentile(count.latency.counts, BOUNDS_S, 0.99),
                connections=count.connections,
                retried=count.retried,
            )
            for count in counts
        ),
    )
