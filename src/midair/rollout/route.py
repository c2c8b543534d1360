"""Who is routed to, and with what weight. Every difference is a new generation; what is outstanding is asked again."""

from math import gcd

import msgspec

from midair.model.action import SetRoutes
from midair.model.event import RoutesAsked
from midair.model.ids import ReplicaId
from midair.model.project import Port
from midair.model.seen import ReplicaSeen, Route
from midair.rollout.draft import UNKNOWN_S, Draft
from midair.rollout.front import counted_ports, has_front

ASK_AGAIN_S = 1.0  # while the router says yes and nothing comes into force; when it says no, troubles set the pace
TAKE_OVER_S = 0.05  # between two attempts to listen on a port that is being left


def ask_routes(draft: Draft, kept: list[ReplicaSeen], leaving: list[ReplicaSeen], weight: int | None) -> None:
    """Ask for routes to exactly those replicas that are ready and stay, and name those that leave."""
    if not draft.uses_routes:
        return
    routes = _routes(draft, kept, weight)
    wanted = _wanted(draft, routes, ports=_free_ports(counted_ports(draft, kept, routes), [*kept, *leaving]))
    wanted = _with_leaving(draft, wanted, leaving)
    seen = draft.seen.route
    overtaken = seen is not None and seen.settled > draft.generation  # by one that this state does not remember
    if draft.asked is None or overtaken or wanted != draft.asked:
        generation = max(draft.generation, seen.settled if seen else 0) + 1
        draft.asked = msgspec.structs.replace(wanted, generation=generation)
        weights = {str(route.replica): route.weight for route in wanted.routes}
        draft.events.append(RoutesAsked(draft.rollout.service, generation, weights, wanted.hold))
    ask_again(draft)


def ask_again(draft: Draft) -> None:
    """Ask for the routes until they are in force, even if those seen look right already.

    When they were asked for is known of this life of the control plane only, and changes no state: the next life asks
    at once, and what is asked again is not stored again first. So lives that each end after one commit get on.
    """
    if draft.asked is None or in_force(draft):
        return
    # A port that is being left is free any moment now, and nobody answers until it is taken.
    takes_over = any(one.published and one.id in draft.stopping for one in draft.replicas)
    pause_s = TAKE_OVER_S if takes_over else ASK_AGAIN_S
    asked_at = draft.seen.asked_at if draft.asked is draft.rollout.asked else None
    if asked_at is not None and draft.now < asked_at + pause_s:
        draft.wake(asked_at + pause_s)
    elif takes_over:
        draft.actions.append(draft.asked)  # whatever trouble it had
        draft.wake(draft.now + pause_s)
    elif draft.act(draft.asked):
        draft.wake(draft.now + pause_s)


def in_force(draft: Draft) -> bool:
    """Whether what was asked for last is what the router does."""
    if draft.asked is None:
        return not draft.uses_routes
    settled = draft.settled
    return settled is not None and (
        settled.routes == draft.asked.routes or _places(settled.routes) == _places(draft.asked.routes)
    )


def look_again_soon(draft: Draft) -> None:
    """Come back when something was not known this time."""
    draft.wake(draft.now + UNKNOWN_S)


def _places(routes: tuple[Route, ...]) -> dict[str, str]:
    return {route.replica: route.address for route in routes}


def _free_ports(ports: tuple[Port, ...], replicas: list[ReplicaSeen]) -> tuple[Port, ...]:
    """Published ports stay with a replica that has them past the router until its stop was asked for.

    So calls by name leave it first, by routes that need no port which is taken.
    """
    is_past = any(one.published and one.state != "exited" for one in replicas)
    return tuple([port for port in ports if port.inside or not is_past])


def _wanted(draft: Draft, routes: tuple[Route, ...], ports: tuple[Port, ...]) -> SetRoutes:
    """Everything the router is to know, at the generation asked for last."""
    policy, goal = draft.policy, draft.goal
    gone = goal.revision is None and not routes
    return SetRoutes(
        service=draft.rollout.service,
        generation=draft.generation,
        routes=routes,
        hold=draft.rollout.held_by_operator or (not routes and goal.revision is not None and goal.replicas > 0),
        ports=() if gone else ports,
        hold_timeout_s=policy.hold.timeout_s,
        hold_max_requests=policy.hold.max_requests,
        drain_timeout_s=policy.drain.timeout_s,
        long_lived=policy.drain.long_lived,
        stick_by=policy.strategy.stick_by,
        trusted_proxies=policy.trusted_proxies,
        front=has_front(draft),
    )


def _with_leaving(draft: Draft, wanted: SetRoutes, leaving: list[ReplicaSeen]) -> SetRoutes:
    """The same with those that are to be stopped and have, or may have, connections.

    While requests are held for them, nothing is waited for that does not end by itself. Routes that only name some
    more, which were stopped since, are as good.
    """
    asked = draft.asked
    inside = draft.seen.route.open if draft.seen.route is not None else {}
    known = {*asked.leaving, *(route.replica for route in asked.routes)} if asked is not None else set()
    names = tuple(sorted(one.id for one in leaving if one.id in known or inside.get(one.id)))
    if asked is not None and asked.leaving and set(names) <= set(asked.leaving):
        stay = {one.id for one in draft.replicas} - set(draft.stopping) - set(names)
        same = _named(draft, wanted, asked.leaving)
        if same == asked and not stay.intersection(asked.leaving):
            return asked
    return _named(draft, wanted, names) if names else wanted


def _named(draft: Draft, wanted: SetRoutes, names: tuple[ReplicaId, ...]) -> SetRoutes:
    held = wanted.hold and not wanted.routes
    websocket_s = 0.0 if held else draft.policy.drain.websocket_s
    return msgspec.structs.replace(wanted, leaving=names, websocket_s=websocket_s, stream_s=0.0 if held else None)


def _routes(draft: Draft, kept: list[ReplicaSeen], weight: int | None) -> tuple[Route, ...]:
    ready = sorted((one for one in kept if one.state == "ready" and one.address), key=lambda one: one.id)
    new = [one for one in ready if draft.is_new(one.id)]
    old = [one for one in ready if one not in new]
    if weight is None or not new or not old:
        return tuple([Route(one.id, one.address) for one in ready])
    if weight in (0, 100):
        return tuple([Route(one.id, one.address) for one in (new if weight else old)])
    for_new, for_old = weight * len(old), (100 - weight) * len(new)
    common = gcd(for_new, for_old)
    return tuple([Route(one.id, one.address, (for_new if one in new else for_old) // common) for one in ready])
