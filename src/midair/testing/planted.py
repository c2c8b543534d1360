"""Bugs put into the core on purpose. Each must be caught by the simulation; one that is not shows a hole in it.

with planted("stop without drain"):
    play_seed(7)
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from midair import rollout
from midair.engine import force
from midair.model.action import RemoveFront, RemoveReplica, StartReplica
from midair.model.ids import ReplicaId, ordinal_of, revision_of
from midair.model.moment import Moment
from midair.model.project import Port
from midair.model.rollout import Draining, Goal, Rollout, Step
from midair.model.seen import ReplicaSeen, RouteSeen, Seen
from midair.rollout import fleet, front, grow, judge, notice, reach, resize, retire, route, strategy, turn
from midair.rollout.draft import Draft
from midair.rollout.fleet import Fleet
from midair.testing.plane import Plane

advance = import_module("midair.rollout.advance")  # the package's own `advance` is the function
begin_module = import_module("midair.rollout.begin")
change_advance = import_module("midair.change.advance")

Patch = tuple[Any, str, Any]  # where, what, by what


def _stop_without_drain(draft: Draft, entry: Draining, replica: ReplicaSeen) -> int | None:
    settled = draft.settled
    routed = settled is None or any(one.replica == entry.replica for one in settled.routes)
    return None if draft.uses_routes and routed else 0


def _stop_before_the_route_is_settled(draft: Draft, entry: Draining, replica: ReplicaSeen) -> int | None:
    seen = draft.seen.route
    return 0 if not draft.uses_routes or (seen is not None and not seen.open.get(entry.replica)) else None


def _trust_a_stale_count(draft: Draft, entry: Draining, replica: ReplicaSeen) -> int | None:
    """The count is of another generation than the one that lacks the replica."""
    seen = draft.seen.route
    if not draft.uses_routes:
        return 0
    if seen is None or any(one.replica == entry.replica for one in seen.routes):
        return None
    return 0 if not seen.open.get(entry.replica) else None


def _ask_for_routes_once(draft: Draft) -> None:
    if draft.asked is not None and not route.in_force(draft) and draft.asked.generation > draft.rollout.generation:
        draft.act(draft.asked)


def _store_each_asking(draft: Draft) -> None:
    _ASK_AGAIN(draft)
    if draft.asked in draft.actions:
        draft.phase_at = max(draft.phase_at + 1e-6, draft.now)


def _roll_back_a_rollback(draft: Draft, reason: str, late: bool = False) -> None:
    if draft.back:
        draft.back, draft.goal = False, Goal(draft.rollout.stable.revision, draft.goal.replicas)
        draft.phase = "progressing"
    else:
        turn.turn_round(draft, reason)


def _route_to_what_starts(draft: Draft, kept: list[ReplicaSeen], weight: int | None) -> Any:
    alive = [replace(one, state="ready") for one in kept if one.state in ("starting", "ready")]
    return _ROUTES(draft, alive, weight)


def _unknown_is_absent(before: Rollout, seen: Seen, now: Moment) -> Step:
    return _ADVANCE(before, Seen(seen.replicas or (), seen.route, seen.troubles, seen.gates), now)


def _unknown_routes_are_none(before: Rollout, seen: Seen, now: Moment) -> Step:
    return _ADVANCE(before, replace(seen, route=seen.route or RouteSeen(before.generation)), now)


def _forget_what_was_stopped(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> None:
    _NOTICE(draft, replicas)
    draft.stopping = ()


def _restart_as_before(replica: ReplicaId, attempt: int = 1) -> Any:
    return StartReplica(replica, max(1, attempt - 1))


def _only_at_first(draft: Draft, replica: ReplicaSeen) -> bool:
    record = reach.record_of(draft.reachable, replica)
    return (record is None or record.at is None) and _IS_CANDIDATE(draft, replica)


def _settle_at_once(draft: Draft, fleet_: Fleet, leaves: bool) -> Any:
    if draft.back:
        return "rolled_back", draft.reason
    return ("completed", "it looks good") if len(fleet_.good) >= draft.goal.replicas else _PHASE(draft, fleet_, leaves)


def _turn_only_the_failed_one(self: Any) -> None:
    self._end("rolled_back", self.change.reason) if any(one.phase == "rolled_back" for one in self._begun()) else None


def _leave_superseded_alone(*arguments: Any, **more: Any) -> Rollout:
    begun = _BEGIN(*arguments, **more)
    return replace(begun, stopping=(), asked=None)


_ADVANCE, _ROUTES, _NOTICE = rollout.advance, route._routes, notice.notice
_IS_CANDIDATE = reach._is_candidate


def _ask_for_every_port(ports: tuple[Port, ...], kept: list[ReplicaSeen]) -> tuple[Port, ...]:
    return ports


def _resize_and_do_not_wait(draft: Draft, kept: list[ReplicaSeen]) -> int:
    _RESIZE(draft, kept)
    return 0


def _let_what_is_published_go(self: Fleet, replica: ReplicaSeen) -> bool:
    return not replica.published and _IS_USEFUL(self, replica)


def _wait_for_its_routes(draft: Draft, replica: ReplicaSeen) -> bool:
    return _STOP_IS_DUE(draft, replace(replica, published=False))


def _stop_what_is_published_at_once(draft: Draft, entry: Draining, replica: ReplicaSeen) -> int | None:
    return 0 if replica.published else _MAY_STOP(draft, entry, replica)


_RESIZE, _IS_USEFUL = resize.resize_kept, Fleet.is_useful
_MAY_STOP, _STOP_IS_DUE = retire.may_stop, retire._stop_is_due
_ASK_AGAIN = route.ask_again
_PHASE, _BEGIN = advance._phase, rollout.begin
_ALIVE: Callable[[Fleet], int] = vars(Fleet)["alive"].fget


def _alive_on_record(self: Fleet) -> int:
    starting = set(self.draft.seen.starting) - {one.id for one in self.draft.replicas}
    return _ALIVE(self) - len(starting)


def _take_any_free_place(self: Fleet) -> list[int]:
    taken = {one.id for one in self.draft.replicas} | set(self.draft.stopping)
    held = {ordinal_of(one) for one in taken if revision_of(one) == self.draft.goal.revision}
    return [place for place in range(self.draft.goal.replicas + len(held)) if place not in held]


def _make_a_front_once(draft: Draft, fleet_: Fleet) -> None:
    if draft.rollout.asked is None or not front.needs_front(draft):
        _KEEP_FRONT(draft, fleet_)


def _take_a_paused_front_for_fit(draft: Draft, fleet_: Fleet) -> None:
    if draft.seen.front is None or not front.needs_front(draft):
        _KEEP_FRONT(draft, fleet_)


def _remove_a_front_at_once(draft: Draft, fleet_: Fleet) -> None:
    if draft.seen.front is not None and not front.needs_front(draft):
        draft.act(RemoveFront(draft.rollout.service))
    else:
        _KEEP_FRONT(draft, fleet_)


def _never_remove_a_front(draft: Draft, fleet_: Fleet) -> None:
    if front.needs_front(draft):
        _KEEP_FRONT(draft, fleet_)


_KEEP_FRONT = front.keep_front


def _go_back_one_by_one(draft: Draft) -> int:
    return 1 if draft.goes_back else _AT_A_TIME(draft)


_AT_A_TIME = strategy.at_a_time


def _always(value: Any) -> Callable[..., Any]:
    return lambda *args, **more: value


BUGS: dict[str, list[Patch]] = {
    "stop without drain": [(retire, "may_stop", _stop_without_drain)],
    "stop before the route is settled": [(retire, "may_stop", _stop_before_the_route_is_settled)],
    "trust a stale count of open requests": [(retire, "may_stop", _trust_a_stale_count)],
    "act before commit": [(Plane, "acts_before_commit", True)],
    "forget an outstanding route": [
        (route, "ask_again", _ask_for_routes_once),
        (advance, "ask_again", _ask_for_routes_once),
    ],
    "store each asking for routes": [
        (route, "ask_again", _store_each_asking),
        (advance, "ask_again", _store_each_asking),
    ],
    "roll back a rollback": [(judge, "fail", _roll_back_a_rollback)],
    "count a terminating replica as gone": [
        (fleet.Fleet, "alive", property(lambda self: _ALIVE(self) - len(self.ending) - len(self.draft.draining)))
    ],
    "forget a start that is under way": [(fleet.Fleet, "alive", property(_alive_on_record))],
    "exchange what serves for what drains": [(fleet.Fleet, "_serving", _always(0))],
    "route to a replica that starts": [(route, "_routes", _route_to_what_starts)],
    "take unknown replicas for absent ones": [(rollout, "advance", _unknown_is_absent)],
    "take unknown routes for no routes": [(rollout, "advance", _unknown_routes_are_none)],
    "forget what was told to stop": [(advance, "notice", _forget_what_was_stopped)],
    "restart with the same attempt": [(grow, "StartReplica", _restart_as_before)],
    "let the old go before the new have passed": [(fleet.Fleet, "bakes", _always(False))],
    "never give up waiting": [(advance, "judge_deadline", _always(None))],
    "never judge a failure": [(advance, "judge_failures", _always(None)), (advance, "judge_deadline", _always(None))],
    "say completed while others are left": [(advance, "_phase", _settle_at_once)],
    "roll back only the service that failed": [(change_advance._Draft, "_come_back", _turn_only_the_failed_one)],
    "begin everything at once": [(change_advance, "unmet", _always(None))],
    "forget what a superseded rollout asked for": [(change_advance, "begin", _leave_superseded_alone)],
    "keep what is no longer wanted": [(change_advance._Draft, "_remove_next", _always(False))],
    "remove an ended replica while it is routed": [
        (retire, "forget", lambda draft, replica: draft.act(RemoveReplica(replica.id)))
    ],
    "take the check's word alone": [(reach, "_needs_no_connection", _always(True))],
    "wait for an older router": [(reach, "_needs_no_connection", _always(False))],
    "trust what refuses": [(reach, "_is_refused", _always(False))],
    "forgive what keeps failing": [
        (fleet, "monitor_of", lambda draft, replica: draft.monitor_s),
        (judge, "monitor_of", lambda draft, replica: draft.monitor_s),
    ],
    "never connect again": [(reach, "_is_candidate", _only_at_first)],
    "restart without waiting": [(grow, "backoff", _always(0.0))],
    "forget to change limits": [(resize, "ResizeReplica", lambda replica: RemoveReplica(replica))],
    "end before limits are taken": [(advance, "resize_kept", _resize_and_do_not_wait)],
    "go on with limits that are refused": [(advance, "judge_resizing", _always(None))],
    "run one-shots again": [
        (notice, "with_done", lambda draft, replicas: replicas),
        (turn, "with_done", lambda draft, replicas: replicas),
        (advance, "with_done", lambda draft, replicas: replicas),
    ],
    "move files under what runs": [(change_advance._Draft, "_empty_movers", _always(False))],
    "recreate beside what is still there": [(strategy, "_is_beside_another", _always(False))],
    "change limits before it is their turn": [(force, "_limited", lambda service, limits, known: service)],
    "ask for a port that stays": [(route, "_free_ports", _ask_for_every_port)],
    "take a port before the new are ready": [(fleet.Fleet, "is_useful", _let_what_is_published_go)],
    "give data to two replicas of one number": [(fleet.Fleet, "free_ordinals", _take_any_free_place)],
    "start beside the owner of the data": [(Draft, "is_numbered", False)],
    "make a front only once": [(advance, "keep_front", _make_a_front_once)],
    "take a paused front for a fit one": [(advance, "keep_front", _take_a_paused_front_for_fit)],
    "remove a front before its replicas": [(advance, "keep_front", _remove_a_front_at_once)],
    "leave a front behind": [(advance, "keep_front", _never_remove_a_front)],
    "end before the front is fit": [(advance, "is_front_settled", _always(True))],
    "take routes for settled before the front has them": [(route, "has_front", _always(False))],
    "restart nothing": [(begin_module, "_replaced", _always(()))],
    "go back one by one": [(strategy, "at_a_time", _go_back_one_by_one)],
    "watch again what has passed": [(Draft, "monitor_s", property(lambda self: self.update.monitor_s))],
    "wait for what is idle": [(route, "_with_leaving", lambda draft, wanted, leaving: wanted)],
    "wait for the routes of what is published": [(retire, "_stop_is_due", _wait_for_its_routes)],
    "stop what is published while it is routed": [(retire, "may_stop", _stop_what_is_published_at_once)],
}


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The core with this bug in it, for as long as the context lasts."""
    with ExitStack() as stack:
        for where, what, by in BUGS[name]:
            stack.enter_context(patch.object(where, what, by))
        yield
