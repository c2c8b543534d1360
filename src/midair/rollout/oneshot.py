"""One-shots that did their work. A revision that comes back finds it done: no migration runs twice."""

from midair.model.ids import revision_of
from midair.model.rollout import Done, Rollout
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
        if replica.id in draft.replaces:  # it has run before, and is to run again
            continue
        if is_done(replica, policy):
            draft.done = (*draft.done, Done(replica.id, replica.since))[-MOST:]


def with_done(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> tuple[ReplicaSeen, ...]:
    """These replicas, and those of the goal's revision that did their work and of which nothing is left."""
    there = tuple(one for one in replicas if not one.is_remembered)
    if not draft.done or not draft.policy.one_shot:
        return there
    known = {one.id for one in there}
    done = [one for one in draft.done if revision_of(one.replica) == draft.goal.revision]
    gone = [one for one in done if one.replica not in known and one.replica not in draft.replaces]
    missing = max(0, draft.goal.replicas - (len(done) - len(gone)))
    remembered = (
        ReplicaSeen(one.replica, "exited", one.at, exit_code=0, is_remembered=True)
        for one in gone[max(0, len(gone) - missing) :]  # of any number: after a restart they go on from those before
    )
    return (*there, *(one for one in remembered if is_done(one, draft.policy)))


def completed_revisions(rollout: Rollout) -> tuple[str, ...]:
    """Revisions of a service that have done their work: the one that is there now, and those on record."""
    now = [one for one in rollout.replicas if revision_of(one.id) == rollout.goal.revision]
    found = {str(rollout.goal.revision)} if now and all(is_done(one, rollout.policy) for one in now) else set()
    earlier = {str(revision_of(one.replica)) for one in rollout.done} if rollout.policy.one_shot else set()
    return tuple(sorted(found | (earlier - {str(rollout.goal.revision)})))
