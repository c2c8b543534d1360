"""One round of the core over a whole project: every rollout, then the change over them. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from midair import change as changes
from midair import rollout as rollouts
from midair.engine.count import counted, told
from midair.model.action import Action, SetRoutes
from midair.model.change import Change
from midair.model.event import ChangeEnded, Event, ReplicaStopped, ReplicaStopping
from midair.model.moment import Moment
from midair.model.rollout import Rollout
from midair.model.seen import Seen
from midair.router.base import RouterSeen
from midair.view.event import describe


class Decision(msgspec.Struct, frozen=True):
    """What to store together, then to do."""

    change: Change | None
    rollouts: tuple[Rollout, ...]
    events: tuple[tuple[int | None, Event], ...]
    actions: tuple[Action, ...]
    wake_at: Moment | None
    has_ended: bool = False  # the change ended in this round


def _order(action: Action) -> int:
    """Ports are taken over before they are left: so nobody is refused in between."""
    return -len(action.ports) if isinstance(action, SetRoutes) else 0


def decide(
    change: Change | None,
    known: Mapping[str, Rollout],
    seen: Mapping[str, Seen],
    router: RouterSeen | None,
    now: Moment,
) -> Decision:
    """`change` is the one under way. All rollouts are advanced, also those of changes that ended long ago."""
    steps = {name: rollouts.advance(one, seen[name], now) for name, one in known.items()}
    after = {name: step.rollout for name, step in steps.items()}
    events: list[tuple[int | None, Event]] = [
        (int(step.rollout.change), event) for step in steps.values() for event in step.events
    ]
    wakes = [step.wake_at for step in steps.values()]
    taken: set[str] = set()
    ended = False
    if change is not None:
        step = changes.advance(change, after, now)
        step = msgspec.structs.replace(step, change=_noted(step.change, events))
        ended = step.change.ended_at is not None
        is_reported = any(isinstance(event, ChangeEnded) for event in step.events)
        change = counted(step.change, router) if is_reported else step.change
        events += [(int(change.id), told(event, change)) for event in step.events]
        after |= {one.service: one for one in step.rollouts}
        taken = {one.service for one in step.rollouts}
        wakes += [step.wake_at, now if taken or ended else None]
    return Decision(
        change,
        tuple(after.values()),
        tuple(events),
        # What the change has just begun, turned round or settled is looked at anew in the next round.
        tuple(sorted((one for name, step in steps.items() if name not in taken for one in step.actions), key=_order)),
        min((moment for moment in wakes if moment is not None), default=None),
        ended,
    )


def _noted(change: Change, events: Iterable[tuple[int | None, Event]]) -> Change:
    """The change with what happened to its replicas that people should know of when it has ended."""
    mine = [event for number, event in events if number == change.id]
    killed = [
        describe(event) for event in mine if isinstance(event, ReplicaStopped) and event.killed_after_s is not None
    ]
    cut = sum(event.cut for event in mine if isinstance(event, ReplicaStopping))
    if not killed and not cut:
        return change
    return msgspec.structs.replace(change, warnings=(*change.warnings, *killed), cut=change.cut + cut)
