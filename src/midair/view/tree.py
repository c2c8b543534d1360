"""Makes the tree service → revision → replica from the state of rollouts and what was seen last."""

from collections.abc import Mapping

from midair.model.ids import ReplicaId, ordinal_of, revision_of
from midair.model.moment import Moment, format_span
from midair.model.project import Revision
from midair.model.rollout import Rollout
from midair.model.seen import ReplicaSeen, RouteSeen, Seen
from midair.view.status import ReplicaView, RevisionView, ServiceView

_NO_ROUTES = RouteSeen(settled=0)


def service_view(
    rollout: Rollout, seen: Seen, revisions: Mapping[str, Revision], now: Moment | None = None
) -> ServiceView:
    """One service. `revisions` by id; what was not seen this time is shown as it was known last."""
    remembered = tuple(replica for replica in rollout.replicas if replica.is_remembered)
    replicas = rollout.replicas if seen.replicas is None else (*seen.replicas, *remembered)
    route = seen.route or _NO_ROUTES
    weights = {entry.replica: entry.weight for entry in route.routes}
    shown = {replica.id: _replica(replica, rollout, route, weights, now) for replica in replicas}
    is_routed = rollout.asked is not None or bool(rollout.policy.ports)
    goal = rollout.goal.revision
    found = {str(revision_of(replica.id)) for replica in replicas} | ({str(goal)} if goal is not None else set())
    ids = sorted(found, key=lambda revision: (revision != goal, revision))
    total = sum(weights.values())
    return ServiceView(
        name=rollout.service,
        phase=rollout.phase,
        reason=rollout.reason,
        strategy=rollout.policy.strategy.kind,
        revision=rollout.goal.revision,
        wanted=rollout.goal.replicas if rollout.goal.revision is not None else 0,
        ready=sum(replica.state == "ready" for replica in replicas),
        serving=sum(replica.state == "serving" for replica in shown.values()),
        ports=rollout.policy.ports,
        hold=route.hold,
        held=route.held,
        paused=rollout.phase == "paused",
        step=_step(rollout),
        changed_at=rollout.phase_at,
        revisions=tuple(
            RevisionView(
                id=revision,
                role="goal" if revision == rollout.goal.revision else "old",
                replicas=tuple(shown[one.id] for one in _in_order(replicas) if revision_of(one.id) == revision),
                share=100 * sum(weights[one] for one in weights if revision_of(one) == revision) / total
                if total
                else 0.0,
                release=revisions[revision].release if revision in revisions else None,
            )
            for revision in ids
        ),
        troubles=seen.troubles,
        observed=seen.replicas is not None and (seen.route is not None or not is_routed),
        problem=route.problem,
    )


def _step(rollout: Rollout) -> str:
    strategy = rollout.policy.strategy
    begins = rollout.stable.revision is None  # with nothing old there is nothing to be careful with
    has_steps = not (rollout.back or rollout.returns or rollout.promoted or begins)
    if strategy.kind != "canary" or rollout.phase != "progressing" or not has_steps:
        return ""
    if rollout.step >= len(strategy.steps) or rollout.stable.revision == rollout.goal.revision:
        return ""
    step = strategy.steps[rollout.step]
    what = f"{step.weight} % of requests"
    if step.analysis is not None or (step.pause_s is not None and step.pause_s < 0):
        what = f"waits for midair promote {rollout.service}"
    elif step.pause_s is not None:
        what = f"pauses for {format_span(step.pause_s)}"
    return f"step {rollout.step + 1} of {len(strategy.steps)}: {what}"


def _in_order(replicas: tuple[ReplicaSeen, ...]) -> list[ReplicaSeen]:
    return sorted(replicas, key=lambda replica: ordinal_of(replica.id))


def _replica(
    replica: ReplicaSeen,
    rollout: Rollout,
    route: RouteSeen,
    weights: Mapping[ReplicaId, int],
    now: Moment | None,
) -> ReplicaView:
    return ReplicaView(
        id=replica.id,
        ordinal=ordinal_of(replica.id),
        state="crashing" if _is_crashing(replica, rollout, now) else _state(replica, rollout, weights),
        since=replica.since,
        attempt=replica.attempt,
        address=replica.address,
        pid=replica.pid,
        weight=weights.get(replica.id, 0),
        open=route.open.get(replica.id, 0),
        exit_code=replica.exit_code,
        detail=replica.detail,
    )


def _is_crashing(replica: ReplicaSeen, rollout: Rollout, now: Moment | None) -> bool:
    """It ends again and again: it waits for its next start, or has not run for as long as makes a crash loop end."""
    crash = next((one for one in rollout.restarting if one.replica == replica.id), None)
    if crash is None or crash.count < 2 or replica.id in rollout.stopping:
        return False
    if replica.state == "exited":
        return crash.at is not None
    since = replica.since if replica.ready_at is None else replica.ready_at
    is_fresh = now is None or now - since < rollout.policy.restart.window_s
    return is_fresh and replica.state in ("starting", "ready", "unhealthy")


def _state(replica: ReplicaSeen, rollout: Rollout, weights: Mapping[ReplicaId, int]) -> str:
    """The word for people: what the runtime says, and what the router and the rollout make of it."""
    if replica.state == "exited":
        if replica.id in rollout.stopping:
            return "stopped"
        if replica.by_hand:
            return f"{replica.by_hand} by hand"
        done = replica.exit_code == 0 and rollout.policy.restart.condition != "any"
        return "completed" if done else "failed"
    if replica.state != "ready":
        return replica.state
    if replica.id in weights:
        return "serving"
    return "draining" if any(one.replica == replica.id for one in rollout.draining) else "ready"
