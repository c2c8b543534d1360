"""One-shots that did their work. A revision that comes back finds it done: no migration runs twice."""

from midair.model.ids import ordinal_of, revision_of
from midair.model.rollout import Done
from midair.model.seen import ReplicaSeen
from midair.rollout.draft import Draft
from midair.rollout.fleet import is_done

MOST = 100  # records of a service; the oldest are dropped


def record_done(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> None:
    """Remember the one-shots that ended well by themselves, for as long as the service exists."""
    known = {one.replica for one in draft.done}
    policies = {draft.rollout.stable.revision: draft.rollout.stable_policy, draft.goal.revision: draft.policy}
    for replica in replicas:
        policy = policies.get(revision_of(replica.id))
        if policy is None or not policy.one_shot or replica.id in known or replica.id in draft.stopping:
            continue
        if is_done(replica, policy):
            draft.done = (*draft.done, Done(replica.id, replica.since))[-MOST:]


def with_done(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> tuple[ReplicaSeen, ...]:
    """These replicas, and those of the goal's revision that did their work and of which nothing is left."""
    there = tuple(one for one in replicas if not one.is_remembered)
    if not draft.done or not draft.policy.one_shot:
        return there
    known = {one.id for one in there}
    remembered = (
        ReplicaSeen(one.replica, "exited", one.at, exit_code=0, is_remembered=True)
        for one in draft.done
        if one.replica not in known
        and revision_of(one.replica) == draft.goal.revision
        and ordinal_of(one.replica) < draft.goal.replicas
    )
    return (*there, *(one for one in remembered if is_done(one, draft.policy)))
