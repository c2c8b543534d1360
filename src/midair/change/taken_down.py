"""Whether somebody else has taken a whole project down, as `docker compose down` does. Pure."""

from collections.abc import Mapping

from midair.model.change import Change
from midair.model.rollout import Rollout
from midair.rollout.phase import STEADY


def is_taken_down(under_way: Change | None, rollouts: Mapping[str, Rollout]) -> bool:
    """Whether everything was stopped and removed by hand, and midair is not just changing it."""
    replicas = [replica for rollout in rollouts.values() for replica in rollout.replicas]
    complete = all(
        rollout.phase in STEADY and (rollout.replicas or not rollout.goal.replicas) for rollout in rollouts.values()
    )
    return under_way is None and complete and bool(replicas) and all(one.by_hand == "removed" for one in replicas)
