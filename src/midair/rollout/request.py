"""What an operator may wish of a rollout, and what becomes of it. Nothing is done here: the next `advance` does it."""

import msgspec
from msgspec.structs import replace

from midair.errors import Conflict
from midair.model.moment import Moment
from midair.model.rollout import Abort, Goal, Pause, Phase, Promote, Resume, Rollout, Scale, SetHold, Wish
from midair.rollout.begin import turn_back
from midair.rollout.phase import FORWARD, check_move


def request(rollout: Rollout, wish: Wish, now: Moment) -> Rollout:
    """The rollout with the wish taken. Raises Conflict when it makes no sense in the present phase."""
    if rollout.phase == "superseded":
        raise _conflict(wish, rollout, "another change took over")
    match wish:
        case Pause():
            return _pause(rollout, wish, now)
        case Resume():
            return _resume(rollout, wish, now)
        case Promote():
            return _promote(rollout, wish)
        case Abort():
            return _abort(rollout, wish, now)
        case Scale():
            return _scale(rollout, wish)
        case SetHold():
            return _hold(rollout, wish)


def _pause(rollout: Rollout, wish: Wish, now: Moment) -> Rollout:
    if rollout.back:
        raise _conflict(wish, rollout, "a rollback is not interrupted")
    if rollout.phase not in FORWARD:
        raise _conflict(wish, rollout, f"it is {rollout.phase}")
    return _moved(rollout, "paused", now, "paused by the operator")


def _resume(rollout: Rollout, wish: Wish, now: Moment) -> Rollout:
    if rollout.phase != "paused":
        raise _conflict(wish, rollout, "it is not paused")
    stood_s = now - rollout.phase_at
    since = None if rollout.waiting_since is None else rollout.waiting_since + stood_s
    forgiven = tuple([replace(one, forgiven=True) for one in rollout.failures])
    resumed = _moved(rollout, "progressing", now, "resumed by the operator")
    return replace(resumed, waiting_since=since, failures=forgiven, step_at=rollout.step_at + stood_s)


def _promote(rollout: Rollout, wish: Wish) -> Rollout:
    if rollout.back or rollout.phase not in FORWARD:
        raise _conflict(wish, rollout, f"it is {rollout.phase}")
    return replace(rollout, promoted=True)


def _abort(rollout: Rollout, wish: Wish, now: Moment) -> Rollout:
    if rollout.back:
        raise _conflict(wish, rollout, "it goes back already, or has")
    if rollout.phase == "completed" and rollout.is_settled:
        raise _conflict(wish, rollout, "nothing is under way", hint="run midair undo to take back the last change")
    return turn_back(rollout, now, "aborted by the operator")


def _scale(rollout: Rollout, wish: Scale) -> Rollout:
    if wish.replicas < 0:
        raise _conflict(wish, rollout, f'should be 0 or more replicas, got "{wish.replicas}"')
    if rollout.goal.revision is None:
        raise _conflict(wish, rollout, "it is being removed")
    return replace(
        rollout,
        goal=_sized(rollout.goal, wish.replicas),
        stable=_sized(rollout.stable, wish.replicas),
        reached=0,
        waited_s=0.0,
    )


def _hold(rollout: Rollout, wish: SetHold) -> Rollout:
    if wish.on and not rollout.policy.ports:
        raise _conflict(wish, rollout, "it has no port that requests come in by")
    return replace(rollout, held_by_operator=wish.on)


def _sized(goal: Goal, replicas: int) -> Goal:
    return goal if goal.revision is None else replace(goal, replicas=replicas)


def _moved(rollout: Rollout, phase: Phase, now: Moment, reason: str) -> Rollout:
    check_move(rollout.phase, phase)
    return replace(rollout, phase=phase, phase_at=now, reason=reason)


def _conflict(wish: Wish, rollout: Rollout, why: str, hint: str | None = None) -> Conflict:
    verb = str(wish.__struct_config__.tag) if isinstance(wish, msgspec.Struct) else "do that to"
    verb = "hold" if verb == "set-hold" else verb
    return Conflict(f'cannot {verb} "{rollout.service}": {why}', hint=hint)
