"""The front of a service: asked for when it is missing or unfit, removed when nothing has its name from it any more."""

from midair.model.action import MakeFront, RemoveFront
from midair.rollout.draft import UNKNOWN_S, Draft
from midair.rollout.fleet import Fleet


def keep_front(draft: Draft, fleet: Fleet) -> None:
    """Ask for the front, or for its end when the last replica that has no name but the front's has ended."""
    front = draft.seen.front
    if needs_front(draft):
        if front is None or not front.fit:
            draft.act(MakeFront(draft.rollout.service))
            draft.wake(draft.now + UNKNOWN_S)
    elif front is not None and not (fleet.old or fleet.ending):
        draft.act(RemoveFront(draft.rollout.service))


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
