"""The front of a service: asked for when it is missing or unfit, removed when nothing has its name from it any more."""

from collections.abc import Iterable

from midair.model.action import MakeFront, RemoveFront
from midair.model.project import Port
from midair.model.protocol import likely_protocol
from midair.model.seen import ReplicaSeen, Route
from midair.rollout.draft import UNKNOWN_S, Draft
from midair.rollout.fleet import Fleet


def keep_front(draft: Draft, fleet: Fleet) -> None:
    """Ask for the front, or for its end when the last replica that has no name but the front's has ended."""
    front = draft.seen.front
    if needs_front(draft):
        if front is None or not front.fit:
            draft.act(MakeFront(draft.rollout.service))
            draft.wake(draft.now + UNKNOWN_S)
    elif front is not None and _is_left(draft) and not (fleet.old or fleet.ending):
        draft.act(RemoveFront(draft.rollout.service))


def _is_left(draft: Draft) -> bool:
    """Whether the routes without its replicas are in force: in the step that turns round, what was seen may be old."""
    return draft.settled is not None and draft.goal == draft.rollout.goal


def needs_front(draft: Draft) -> bool:
    """Whether callers are to find the service by a front."""
    return draft.policy.front and draft.goal.revision is not None


def has_front(draft: Draft) -> bool:
    """Whether routes are to be in force in a front, too: one that is wanted, or one that callers can still use."""
    front = draft.seen.front
    return needs_front(draft) or (front is not None and front.fit)


def is_front_settled(draft: Draft) -> bool:
    """Whether the front is what it is to be, or there is none and is to be none."""
    front = draft.seen.front
    return (front is not None and front.fit) if needs_front(draft) else front is None


def counted_ports(draft: Draft, replicas: Iterable[ReplicaSeen], routes: tuple[Route, ...]) -> tuple[Port, ...]:
    """The ports of the service, and those of its front as its routed replicas listen: the kernel has all others.

    Callers of a port at which nobody listens are refused by the replica, as without a front; a TCP port that nobody
    named comes to the router once it is known. While there is no route, ports stay as they are: callers wait there.
    """
    named, asked = draft.policy.ports, draft.asked.ports if draft.asked is not None else ()
    numbers = {port.port for port in named if port.front}
    if not has_front(draft):
        return named
    if not routes:
        return (*named, *(port for port in asked if port.front and port.port not in numbers))
    routed = {route.replica for route in routes}
    heard = [set(replica.listens) for replica in replicas if replica.id in routed]
    found = set[int]().union(*heard)
    reached = {port for record in draft.reachable if record.replica in routed for port in record.ports}
    silent = numbers - found - reached if all(heard) else set[int]()
    service = draft.rollout.service
    return (
        *(port for port in named if not port.front or port.port not in silent),
        *(
            Port(port, port, protocol=likely_protocol(port), inside=True, front=service)
            for port in sorted(found - numbers)
        ),
    )
