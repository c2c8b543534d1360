"""How a rollout begins, is turned round from outside, gets other settings, and is settled."""

import msgspec

from midair.model.ids import ChangeId, ReplicaId, revision_of
from midair.model.moment import Moment
from midair.model.rollout import Goal, Policy, Rollout
from midair.model.seen import Seen
from midair.rollout.draft import Draft
from midair.rollout.phase import FORWARD, STEADY
from midair.rollout.turn import turn_round

NOTHING = Goal(None, 0)


def begin(
    service: str, change: ChangeId, goal: Goal, policy: Policy, previous: Rollout | None, now: Moment,
    *, returns: bool = False, restarts: bool = False,
) -> Rollout:  # fmt: skip
    """A rollout towards `goal`, from whatever is there. One that is under way is superseded: what it made is counted,
    what it asked of the router stays asked, and the way back still leads to the last good state.

    `returns`: the goal's revision has passed in an earlier change. `restarts`: all replicas that are there are
    replaced, also those of the goal's revision, and its one-shots run again.
    """
    if previous is None:
        return Rollout(service, change, "pending", goal, NOTHING, policy, policy, started_at=now, phase_at=now)
    if goes_on(previous, goal, policy) and not restarts:
        return msgspec.structs.replace(previous, change=change, returns=previous.returns or returns)
    unproven = previous.created if previous.phase not in STEADY else ()
    if goal.revision != previous.stable.revision:  # no good state has had it yet, so all of it has to pass `monitor`
        unproven = (*unproven, *(one.id for one in previous.replicas))
    replaces = _replaced(previous, goal, restarts=restarts)
    made = {one: None for one in unproven if revision_of(one) == goal.revision and one not in replaces}
    done = (*previous.done_before, *previous.done)
    again = tuple([one for one in done if restarts and revision_of(one.replica) == goal.revision])
    return Rollout(
        service, change, "pending", goal, previous.stable, policy, previous.stable_policy, returns=returns,
        started_at=now, phase_at=now, step_at=now,
        held_by_operator=previous.held_by_operator,
        asked=previous.asked,  # outstanding or not, it is asked for at once
        created=tuple(made), draining=previous.draining, stopping=previous.stopping,
        restarting=previous.restarting, replicas=previous.replicas, by_number=previous.by_number,
        reachable=previous.reachable, done=tuple([one for one in done if one not in again]), done_before=again,
        replaces=replaces,
    )  # fmt: skip


def _replaced(previous: Rollout, goal: Goal, *, restarts: bool) -> tuple[ReplicaId, ...]:
    """The replicas of the goal's revision that are to leave. A restart that is superseded goes on."""
    if not restarts:
        return previous.replaces if previous.goal.revision == goal.revision else ()
    there = [one.id for one in previous.replicas if not one.is_remembered]
    return tuple([one for one in there if revision_of(one) == goal.revision])


def goes_on(previous: Rollout, goal: Goal, policy: Policy) -> bool:
    """Whether a rollout is on its way to that already: it keeps its place, its pause and its failures."""
    return previous.phase in FORWARD | {"paused"} and (previous.goal, previous.policy) == (goal, policy)


def turn_back(rollout: Rollout, now: Moment, reason: str) -> Rollout:
    """The same rollout, on its way back to the last good state. One that is on its way back stays as it is."""
    if rollout.back or rollout.phase == "superseded":
        return rollout
    draft = Draft(rollout, Seen(), now)
    turn_round(draft, reason)
    return draft.freeze().rollout


def settle(rollout: Rollout) -> Rollout:
    """The change has ended well: what is there now is what a later rollback goes to."""
    assert rollout.phase == "completed", f"cannot settle a rollout that is {rollout.phase}"
    return msgspec.structs.replace(
        rollout,
        stable=rollout.goal,
        stable_policy=rollout.policy,
        created=(),
        failures=(),
        promoted=False,
        returns=False,
        replaces=(),
        done_before=(),
    )
