"""Starting what is missing, within the strategy's limit, and bringing back what ended, with back-off."""

import msgspec

from midair.model.action import StartReplica
from midair.model.event import ReplicaStarted
from midair.model.ids import replica_id
from midair.model.project import Restart
from midair.model.rollout import Restarting
from midair.model.seen import ReplicaSeen
from midair.rollout.backoff import backoff
from midair.rollout.draft import Draft
from midair.rollout.fleet import Fleet, is_done
from midair.rollout.strategy import Target

RESTART_FIRST_S = 0.1


def room(fleet: Fleet, target: Target) -> int:
    """How many replicas of the goal's revision are missing and may be started now."""
    return max(0, min(target.new - len(fleet.new), target.alive_max - fleet.counted))


def start_missing(draft: Draft, fleet: Fleet, target: Target) -> None:
    """Start replicas of the goal's revision up to the target."""
    revision, count = draft.goal.revision, room(fleet, target)
    if revision is None or count == 0:
        return
    for place in fleet.free_ordinals()[:count]:
        replica = replica_id(draft.rollout.service, revision, place)
        if draft.act(StartReplica(replica)) and replica not in draft.created:
            draft.created += (replica,)
            draft.events.append(ReplicaStarted(replica))


def restart_ended(draft: Draft, kept: list[ReplicaSeen]) -> None:
    """Bring back the replicas that ended and are to stay, each after its wait."""
    has_new = any(draft.is_new(one.id) for one in draft.replicas)
    is_alone = draft.policy.strategy.kind == "recreate" and has_new and not draft.back
    for replica in kept:
        if replica.state != "exited" or is_left_alone(draft, replica):
            continue
        if is_alone and not draft.is_new(replica.id):  # what ended is not brought back beside what took its place
            continue
        policy = draft.policy if draft.is_new(replica.id) else draft.rollout.stable_policy
        if is_done(replica, policy):
            continue
        entry = _entry(draft, replica, policy.restart)
        if entry.at is None:
            continue
        if draft.now < entry.at:
            draft.wake(entry.at)
        elif draft.act(StartReplica(replica.id, replica.attempt + 1)) and not entry.asked:
            draft.events.append(ReplicaStarted(replica.id, replica.attempt + 1))
            _store(draft, msgspec.structs.replace(entry, asked=True))


def is_left_alone(draft: Draft, replica: ReplicaSeen) -> bool:
    """Whether somebody else ended it on purpose since this rollout began: it stays so until another one begins."""
    return bool(replica.by_hand) and replica.since >= draft.rollout.started_at


def _entry(draft: Draft, replica: ReplicaSeen, restart: Restart) -> Restarting:
    """The record of this end of the replica, made at first sight."""
    before = next((one for one in draft.restarting if one.replica == replica.id), None)
    if before is not None and before.attempt >= replica.attempt and (before.at is None or replica.since <= before.at):
        return before
    lasted = 0.0 if replica.ready_at is None else replica.since - replica.ready_at
    count = 1 if before is None or lasted >= restart.window_s else before.count + 1
    at = min(draft.now, replica.since) + backoff(count, restart.delay_s or RESTART_FIRST_S)
    ended_well = replica.exit_code == 0
    never = restart.condition == "none" or (restart.condition == "on-failure" and ended_well)
    if never or (restart.max_attempts is not None and count > restart.max_attempts):
        entry = Restarting(replica.id, replica.attempt, count, None)
    else:
        entry = Restarting(replica.id, replica.attempt, count, at)
    _store(draft, entry)
    return entry


def _store(draft: Draft, entry: Restarting) -> None:
    draft.restarting = (*(one for one in draft.restarting if one.replica != entry.replica), entry)
