"""What a change cost: the router's counts at its end minus those at its beginning."""

from collections.abc import Mapping

from msgspec.structs import replace

from midair.model.change import Answers, Change
from midair.model.counters import Record, added, tally_of
from midair.model.event import ChangeEnded, Event
from midair.model.moment import Moment
from midair.model.project import Revision
from midair.model.seen import Tally
from midair.router.base import RouterSeen
from midair.view.counts import CountsView, count_view
from midair.view.failures import failures_of
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


def begun(change: Change, seen: RouterSeen | None) -> Change:
    """The change with what its services have answered until now."""
    before = change.before.revisions if change.before is not None else {}
    base = answers_of(change.after.revisions, seen)
    return replace(change, answers_before=answers_of(before, seen), answers_base=base)


def answers_of(revisions: Mapping[str, Revision], seen: RouterSeen | None) -> tuple[Answers, ...]:
    """What these revisions have answered, by service."""
    by_status = {(count.service, count.revision): count.by_status for count in (seen.counts if seen else ())}
    return tuple(
        Answers(name, sum(statuses.values()) - statuses.get("1xx", 0), statuses.get("5xx", 0))
        for name, revision in revisions.items()
        if (statuses := by_status.get((name, revision.id)))
    )


def counted(change: Change, seen: RouterSeen | None) -> Change:
    """The change with what was counted since it began."""
    now = total(seen)
    since = now.minus(change.baseline)
    # Any count that went down belongs to another router, whose counts began at 0.
    after = answers_of(change.after.revisions, seen)
    return replace(change, tally=now if since.has_negative else since, answers_after=after)


def told(event: Event, change: Change) -> Event:
    """The event that says how a change ended, with its count."""
    if not isinstance(event, ChangeEnded) or event.change != change.id:
        return event
    return replace(
        event,
        accepted=change.tally.accepted,
        lost=change.tally.lost,
        uncounted=uncounted_of(change),
        cut=change.cut,
        failures=failures_of(change),
    )


def counts_view(project: str, records: tuple[Record, ...]) -> CountsView:
    """All counts for people."""
    revisions = added(tuple(replace(record, replica="") for record in records))
    return CountsView(
        project,
        total_of(records),
        services=tuple(count_view(record) for record in revisions),
        replicas=tuple(count_view(record) for record in records if record.replica),
    )


def total_of(records: tuple[Record, ...]) -> Tally:
    """The outcomes of all records together."""
    tally = Tally()
    for record in records:
        tally = tally.plus(tally_of(record.numbers))
    return tally
