"""The one question a strategy answers: how many replicas, and with what weight, to want now.

Getting there safely is common to all of them (grow, route, retire). A strategy is a function of the draft and the
fleet that returns a Target; it changes nothing.
"""

import msgspec

from midair.model.moment import Moment
from midair.rollout.draft import Draft
from midair.rollout.fleet import Fleet, passes_at
from midair.rollout.gate import verdict


class Target(msgspec.Struct, frozen=True):
    """What to want now."""

    new: int  # replicas of the goal's revision
    old: int  # replicas of other revisions to keep, at most
    alive_max: int  # limit for starting any, those on their way out counted too
    weight: int | None = None  # percent of the requests for the new revision; None: every replica alike
    step: int = 0  # where a strategy with steps is now
    wake_at: Moment | None = None  # when the answer may be another one
    reason: str = ""  # what is waited for, for people


def target(draft: Draft, fleet: Fleet) -> Target:
    """What to want now, by the strategy of the service. Without anything old there is nothing to be careful with."""
    wanted, kind = draft.goal.replicas, draft.policy.strategy.kind
    if draft.phase == "paused":
        return _frozen(draft, fleet)
    if draft.policy.waits and not draft.back:
        return Target(new=0, old=0, alive_max=0, step=draft.step, reason="all that uses the same files ends first")
    if not draft.replicas and _is_begun_elsewhere(draft):
        return Target(new=0, old=0, alive_max=0, step=draft.step, reason="what another change has begun is seen first")
    alone = draft.alone or (kind == "recreate" and not draft.back)
    if not fleet.old and not fleet.ending and not (alone and _is_beside_another(fleet)):
        return Target(new=wanted, old=0, alive_max=wanted, step=draft.step, reason="starting what is missing")
    if draft.goal.revision is None or draft.rollout.stable.revision is None:
        return _rolling(draft, fleet)
    if alone:
        return _recreate(draft, fleet)
    if draft.goes_back or restarts(draft):
        return _rolling(draft, fleet)
    if kind == "canary":
        return _canary(draft, fleet)
    if kind == "blue-green":
        return _blue_green(draft, fleet)
    return _rolling(draft, fleet)


def restarts(draft: Draft) -> bool:
    """Whether replicas are replaced by others of a revision that has passed: steps would prove nothing."""
    return bool(draft.replaces) and draft.goal.revision == draft.rollout.stable.revision


def at_a_time(draft: Draft) -> int:
    """`parallelism`, where 0 means all at once.

    What has passed comes back all at once unless `rollback_config` says how many at a time. Where a replica ends before
    the next one starts there is no room for that: others keep serving, as many as during an update.
    """
    pace = draft.update.parallelism
    if draft.goes_back and draft.policy.all_return:
        pace = draft.policy.update.parallelism if draft.stops_first else 0
    return pace or max(1, draft.goal.replicas)


def _frozen(draft: Draft, fleet: Fleet) -> Target:
    """Paused: what is there stays; of the new ones no more than are there, or than fill a gap made for them."""
    recreates = draft.policy.strategy.kind == "recreate"
    makes_gaps = (recreates or draft.stops_first) and not draft.policy.waits
    had = min(draft.goal.replicas, draft.rollout.stable.replicas) if makes_gaps else 0
    new = min(max(len(fleet.new), had - len(fleet.old)), draft.goal.replicas)
    alive_max = fleet.alive if recreates and _is_beside_another(fleet) else max(fleet.alive, had)
    return Target(new=new, old=len(fleet.old), alive_max=alive_max, weight=_weight_now(draft), step=draft.step)


def _rolling(draft: Draft, fleet: Fleet) -> Target:
    """At most `parallelism` new ones that are not good yet; old ones leave as good ones arrive.

    start-first: at most `parallelism` more than wanted alive; an old one leaves when a new one is good.
    stop-first: never more than wanted alive; `parallelism` fewer may serve.
    """
    wanted, good, pace = draft.goal.replicas, len(fleet.good), at_a_time(draft)
    stop_first = draft.stops_first
    begins_at = _next_batch_at(draft, fleet)
    new = good + pace if begins_at is None else 0
    new = min(wanted, max(new, len(fleet.new)))  # what was begun is not taken back
    old = wanted - min(new, good + pace) if stop_first else wanted - good
    return Target(
        new=new,
        old=max(0, old),
        alive_max=wanted if stop_first else wanted + pace,
        wake_at=begins_at,
        reason=f"{good} of {wanted} new replicas are good",
    )


def _next_batch_at(draft: Draft, fleet: Fleet) -> Moment | None:
    """When `delay` lets the next batch begin; None: now. All at once are a single batch."""
    delay_s = draft.update.delay_s if at_a_time(draft) < draft.goal.replicas else 0.0
    made = [one for one in fleet.good if one.id in draft.created]
    if delay_s <= 0 or draft.promoted or not made or len(fleet.good) >= draft.goal.replicas:
        return None
    begins_at = max(passes_at(one, draft.monitor_s) for one in made) + delay_s
    return begins_at if draft.now < begins_at else None


def _recreate(draft: Draft, fleet: Fleet) -> Target:
    """Everything old ends before anything new begins; the router holds requests meanwhile."""
    wanted = draft.goal.replicas
    alive_max = 0 if _is_beside_another(fleet) else wanted
    return Target(new=wanted, old=0, alive_max=alive_max, reason="the other revision ends first")


def _is_beside_another(fleet: Fleet) -> bool:
    """Whether anything is left that is not to stay, or is just being started."""
    return _is_begun_elsewhere(fleet.draft) or bool(fleet.old) or any(one.state != "exited" for one in fleet.ending)


def _is_begun_elsewhere(draft: Draft) -> bool:
    """Whether a replica of another revision is being started. What data it keeps is known when it was seen."""
    return any(not draft.is_new(one) for one in draft.seen.starting)


def _blue_green(draft: Draft, fleet: Fleet) -> Target:
    """A whole new set beside the old one; all requests move at once when all of it is fit."""
    wanted = draft.goal.replicas
    switched = draft.step > 0 or len(fleet.fit) >= wanted
    if not switched:
        return Target(wanted, wanted, 2 * wanted, weight=0, reason="the new set is not complete yet")
    old = 0 if len(fleet.good) >= wanted else wanted
    return Target(wanted, old, 2 * wanted, weight=100, step=1, reason="all requests go to the new set")


def _canary(draft: Draft, fleet: Fleet) -> Target:
    """Step by step more requests for the new revision; the old one stays whole until the last step has passed."""
    steps = draft.policy.strategy.steps
    step, wake_at = _canary_step(draft, fleet)
    if step >= len(steps):
        rolled = _rolling(draft, fleet)
        wanted = draft.goal.replicas
        return msgspec.structs.replace(rolled, new=wanted, alive_max=2 * wanted, step=step)
    weight = next((one.weight for one in reversed(steps[: step + 1]) if one.weight is not None), 0)
    wanted = draft.goal.replicas
    new = max(len(fleet.new), share(wanted, weight))
    return Target(
        min(new, wanted), wanted, 2 * wanted,
        weight=weight, step=step, wake_at=wake_at, reason=f"step {step + 1} of {len(steps)}",
    )  # fmt: skip


def _canary_step(draft: Draft, fleet: Fleet) -> tuple[int, Moment | None]:
    """The step to be at, and when to look again. A step is left when its condition holds."""
    steps = draft.policy.strategy.steps
    if draft.promoted or draft.step >= len(steps):
        return len(steps), None
    step = steps[draft.step]
    if step.weight is not None:
        return draft.step + (len(fleet.good) >= share(draft.goal.replicas, step.weight)), None
    if step.pause_s is not None:
        ends_at = draft.step_at + step.pause_s
        waits = step.pause_s < 0 or draft.now < ends_at
        return draft.step + (not waits), None if step.pause_s < 0 or not waits else ends_at
    passed = verdict(draft, step.analysis or "default") == "go"
    return draft.step + passed, None


def _weight_now(draft: Draft) -> int | None:
    """The weight of the step that a paused strategy is at."""
    if draft.goes_back or restarts(draft):
        return None
    if draft.policy.strategy.kind == "blue-green":
        return 100 if draft.step else 0
    if draft.policy.strategy.kind != "canary":
        return None
    steps = draft.policy.strategy.steps[: draft.step + 1]
    return next((one.weight for one in reversed(steps) if one.weight is not None), 0)


def share(replicas: int, weight: int) -> int:
    """How many replicas a weight in percent needs: rounded up, at least one when there is any weight."""
    return -(-replicas * weight // 100) if weight > 0 else 0
