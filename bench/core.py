"""What deciding costs: `advance` for 1,000 services of 10 replicas, at rest and in the middle of a rollout.

Target: one round over all of them in at most 120 ms of CPU time at rest, and 200 ms in the middle of 1,000 rollouts.
"""

import sys
import time

from msgspec.structs import replace

from midair import rollout as core
from midair.model.ids import RevisionId, replica_id
from midair.model.project import Port, Update
from midair.model.rollout import Goal, Policy, Rollout
from midair.model.seen import ReplicaSeen, Route, RouteSeen, Seen

SERVICES, REPLICAS, ROUNDS = 1_000, 10, 5
AT_REST_MS, IN_THE_MIDDLE_MS = 120.0, 200.0


def at_rest(service: str) -> tuple[Rollout, Seen]:
    """A completed rollout, and a world that is as it says."""
    policy = Policy(update=Update(order="start-first", monitor_s=0.0), ports=(Port(80, 80),))
    names = [replica_id(service, "0a1b2c3d", place) for place in range(REPLICAS)]
    replicas = tuple(ReplicaSeen(name, "ready", 0.0, address=f"h:{name}", ready_at=0.0) for name in names)
    rollout = core.begin(service, 1, Goal(RevisionId("0a1b2c3d"), REPLICAS), policy, None, 0.0)  # type: ignore[arg-type]
    seen = Seen(replicas, RouteSeen(0))
    while True:
        step = core.advance(rollout, seen, 1.0)
        asked = step.rollout.asked
        if asked is None or step.rollout.phase == "completed":
            return core.settle(step.rollout), seen
        rollout, seen = step.rollout, replace(seen, route=RouteSeen(asked.generation, asked.routes))


def in_the_middle(service: str) -> tuple[Rollout, Seen]:
    """A rollout that has exchanged half of the replicas, and finds the next one ready."""
    rollout, seen = at_rest(service)
    assert seen.replicas is not None
    assert seen.route is not None
    names = [replica_id(service, "4e5f6a7b", place) for place in range(REPLICAS // 2)]
    new = tuple(ReplicaSeen(name, "ready", 1.0, address=f"h:{name}", ready_at=1.0) for name in names)
    replicas = seen.replicas[: REPLICAS // 2] + new
    routes = tuple(Route(one.id, one.address) for one in replicas)
    begun = core.begin(service, 2, Goal(RevisionId("4e5f6a7b"), REPLICAS), rollout.policy, rollout, 1.0)  # type: ignore[arg-type]
    return begun, Seen(replicas, RouteSeen(seen.route.settled + 1, routes))


def milliseconds(pairs: list[tuple[Rollout, Seen]]) -> float:
    """CPU time of the best round over all of them."""
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for rollout, seen in pairs:
            core.advance(rollout, seen, 2.0)
        best = min(best, time.process_time() - began)
    return best * 1000


def main() -> int:
    """Measure and print; 1 when a target is missed."""
    rows = [("at rest", at_rest, AT_REST_MS), ("in the middle of a rollout", in_the_middle, IN_THE_MIDDLE_MS)]
    missed = False
    print(f"{SERVICES:,} services x {REPLICAS} replicas        one round    each    target")
    for name, make, target in rows:
        took = milliseconds([make(f"s{number}") for number in range(SERVICES)])
        missed |= took > target
        each = took * 1000 / SERVICES
        print(f"{name:34} {took:7.0f} ms {each:5.0f} us {target:6.0f} ms{'  MISSED' if took > target else ''}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
