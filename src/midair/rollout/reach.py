"""Which replicas are ready: those that their runtime calls so, and that the router has connected to itself.

The runtime's word alone is not enough: a check may look elsewhere, and a process that runs need not listen. So each
new replica is a candidate first. The router connects once to each of its ports and reports; here both are put together.
A replica passes when it is reached

- at any of the published ports, where there are some; else at any that the file or the image exposes,
- and at each port at which the replicas before it listen, for which it has `monitor`.

An image may name ports that nobody listens on: where it alone names any, the replica passes without after a while.
What passed is not connected to again, unless it refuses the router: then it is unhealthy until it is reached anew.

A router of an older version reports nothing, and the runtime's word counts. What is routed already stays routed: it was
ready before this was asked.
"""

from msgspec.structs import replace

from midair.model.action import Candidate, ReachReplicas
from midair.model.ids import FOREIGN, revision_of
from midair.model.protocol import is_usual_for_http
from midair.model.rollout import Expected, Policy, Reached, Rollout
from midair.model.seen import Reach, ReplicaSeen, RouteSeen, listens_elsewhere
from midair.rollout.draft import Draft

SILENT_S = 10.0  # after which a replica passes that listens on no port of its image


def expected_of(policy: Policy) -> tuple[Expected, ...]:
    """The ports of a service's replicas. A policy stored by an older version names them without their source."""
    if policy.expects:
        return policy.expects
    return tuple(
        Expected(port.target, "image" if port.inside else "ports", _is_http(port.protocol, port.target))
        for port in policy.ports
    )


def _is_http(protocol: str, target: int) -> bool:
    return protocol == "http" and is_usual_for_http(target)


def note_reached(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> None:
    """Take over what the router reports, and decide which replicas pass. Records of replicas that are gone go, too."""
    if not expected_of(draft.policy):
        return
    draft.reachable = tuple([record for replica in replicas if (record := _record(draft, replica)) is not None])


def _record(draft: Draft, replica: ReplicaSeen) -> Reached | None:
    """What is known of a replica's reachability now."""
    before = record_of(draft.reachable, replica)
    record = before or Reached(replica.id, replica.attempt)
    if record.at is not None and not (record.ports or record.missing) and not _needs_no_connection(draft, replica):
        record = replace(record, at=None)  # the runtime's word was enough while it was routed, and is no more
    if record.at is None:
        record = _judged(draft, replica, record) if replica.state == "ready" else record
    elif replica.state in ("ready", "unhealthy"):
        record = _looked_after(draft, replica, record)
    return None if record == Reached(replica.id, replica.attempt) else record


def _judged(draft: Draft, replica: ReplicaSeen, record: Reached) -> Reached:
    """The record of a replica that has not passed yet."""
    ready_at = replica.since if replica.ready_at is None else replica.ready_at
    if _needs_no_connection(draft, replica):
        return replace(record, at=ready_at)
    expected = expected_of(draft.policy)
    entries = _entries(draft.seen.route, replica, record)
    reached = _reached_ports(entries, _http_ports(expected, replica))
    if reached & _enough(expected, replica):
        since = draft.now if record.since is None else record.since
        late = (_old_ports(draft) & _ports(expected, replica)) - reached
        if late and draft.now < since + draft.policy.update.monitor_s:
            draft.wake(since + draft.policy.update.monitor_s)
            return replace(record, since=since)
        return replace(_with_ports(record, expected, replica, reached), since=since, at=draft.now)
    if all(one.source == "image" for one in expected):
        is_silent = bool(entries) and all(one.state == "refused" for one in entries)
        if is_silent and draft.now >= ready_at + SILENT_S:
            return replace(_with_ports(record, expected, replica, reached), at=draft.now)
        if draft.now < ready_at + SILENT_S:
            draft.wake(ready_at + SILENT_S)
    return record


def _looked_after(draft: Draft, replica: ReplicaSeen, record: Reached) -> Reached:
    """The record of a replica that has passed: refused meanwhile, reached again, or with ports not known before."""
    expected, route = expected_of(draft.policy), draft.seen.route
    entries = _entries(route, replica, record)
    if record.refused_at is not None:
        is_older = route is not None and route.reach is None
        is_back = _reached_ports(entries, _http_ports(expected, replica)) & _enough(expected, replica)
        return replace(record, refused_at=None, reason="", at=draft.now) if is_back or is_older else record
    if _is_refused(draft, replica):
        reason = "the router is refused connections"
        return replace(record, refused_at=draft.now, reason=reason, turn=record.turn + 1)
    unknown = _unknown_ports(expected, replica, record)
    reports = [one for one in entries if one.port in unknown]
    if reports and all(one.state != "waiting" for one in reports):
        return _with_ports(record, expected, replica, _reached_ports(reports, set()))
    return record


def _needs_no_connection(draft: Draft, replica: ReplicaSeen) -> bool:
    """Whether the runtime's word is enough: an older router, what ran before, what nobody can connect to."""
    route = draft.seen.route
    is_routed = any((one.replica, one.address) == (replica.id, replica.address) for one in draft.rollout.routes)
    was_there = revision_of(replica.id) == FOREIGN and replica.id not in draft.created
    is_older = route is not None and route.reach is None
    return is_routed or was_there or is_older or not replica.address


def _is_refused(draft: Draft, replica: ReplicaSeen) -> bool:
    route = draft.settled
    if route is None or route.reach is None or replica.id not in route.failing:
        return False
    return any((one.replica, one.address) == (replica.id, replica.address) for one in route.routes)


def _with_ports(record: Reached, expected: tuple[Expected, ...], replica: ReplicaSeen, reached: set[int]) -> Reached:
    ports = reached | set(record.ports)
    missing = _ports(expected, replica) - ports
    return replace(record, ports=tuple(sorted(ports)), missing=tuple(sorted(missing)))


def _old_ports(draft: Draft) -> set[int]:
    """Ports at which replicas of other revisions listen."""
    old = [one for one in draft.reachable if not draft.is_new(one.replica)]
    return {port for one in old for port in one.ports}


def _enough(expected: tuple[Expected, ...], replica: ReplicaSeen) -> set[int]:
    """The ports of which one is enough."""
    published = tuple(one for one in expected if one.source == "ports")
    return _ports(published or expected, replica)


def _ports(expected: tuple[Expected, ...], replica: ReplicaSeen) -> set[int]:
    """Ports to connect to: those of the service, or the only one that the replica's address has."""
    _, _, only = replica.address.rpartition(":")
    return {int(only)} if only.isdigit() else {one.port for one in expected}


def _http_ports(expected: tuple[Expected, ...], replica: ReplicaSeen) -> set[int]:
    """Those at which a request has to be answered."""
    http = tuple(one for one in expected if one.http)
    return _ports(http, replica) if http and not replica.checked else set()


def _unknown_ports(expected: tuple[Expected, ...], replica: ReplicaSeen, record: Reached) -> set[int]:
    """Ports of a replica that passed of which it is not known whether it listens there."""
    return _ports(expected, replica) - set(record.ports) - set(record.missing)


def _reached_ports(entries: list[Reach], http: set[int]) -> set[int]:
    """Ports at which the router got what is needed there."""
    return {
        one.port for one in entries if one.state == "answered" or (one.state == "connected" and one.port not in http)
    }


def _entries(route: RouteSeen | None, replica: ReplicaSeen, record: Reached) -> list[Reach]:
    reports = route.reach if route is not None else None
    key = (replica.id, replica.attempt, record.turn, replica.address)
    return [one for one in reports or () if (one.replica, one.attempt, one.turn, one.address) == key]


def record_of(reached: tuple[Reached, ...], replica: ReplicaSeen) -> Reached | None:
    """The record of this attempt of a replica."""
    return next((one for one in reached if (one.replica, one.attempt) == (replica.id, replica.attempt)), None)


def with_reach(rollout: Rollout, route: RouteSeen | None, replicas: tuple[ReplicaSeen, ...]) -> tuple[ReplicaSeen, ...]:
    """The replicas that a runtime reports, each as ready as the router finds it."""
    if not expected_of(rollout.policy):
        return replicas
    return tuple([_combined(rollout.policy, rollout.reachable, route, replica) for replica in replicas])


def combined(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> tuple[ReplicaSeen, ...]:
    """The same for a rollout that is being decided upon."""
    if not expected_of(draft.policy):
        return replicas
    return tuple([_combined(draft.policy, draft.reachable, draft.seen.route, replica) for replica in replicas])


def _combined(
    policy: Policy, reached: tuple[Reached, ...], route: RouteSeen | None, replica: ReplicaSeen
) -> ReplicaSeen:
    if replica.state not in ("ready", "unhealthy"):
        return replica
    record = record_of(reached, replica)
    if record is None or record.at is None:
        if replica.state == "unhealthy":
            return replica
        reason = _reason(policy, replica, _entries(route, replica, record or Reached(replica.id, replica.attempt)))
        return replace(replica, state="starting", ready_at=None, detail=reason)
    ready_at = record.at if replica.ready_at is None else max(replica.ready_at, record.at)
    if replica.state == "unhealthy":
        return replica if ready_at == replica.ready_at else replace(replica, ready_at=ready_at)
    if record.refused_at is not None:
        return replace(
            replica, state="unhealthy", since=max(replica.since, record.refused_at), ready_at=ready_at,
            detail=record.reason,
        )  # fmt: skip
    since = max(replica.since, record.at)
    if (since, ready_at) == (replica.since, replica.ready_at):
        return replica
    return replace(replica, since=since, ready_at=ready_at)


def _reason(policy: Policy, replica: ReplicaSeen, entries: list[Reach]) -> str:
    """Why the router has not reached a replica: the ports that count first."""
    enough = _enough(expected_of(policy), replica)
    found = [one for one in sorted(entries, key=lambda one: one.port not in enough) if one.reason]
    if not found:
        return replica.detail or "the router has not connected to it yet"
    hint = listens_elsewhere(found[0].port, replica.listens, replica.loopback)
    return found[0].reason + (hint if found[0].state == "refused" else "")


def note_of(reached: tuple[Reached, ...], replica: ReplicaSeen) -> str:
    """What is to be said of a replica that is ready all the same."""
    record = record_of(reached, replica)
    if record is None or not record.missing:
        return ""
    return f"nothing listens on {', '.join(map(str, record.missing))}"


def ask_reach(draft: Draft, replicas: tuple[ReplicaSeen, ...]) -> None:
    """Name to the router the replicas that it is to connect to, until it knows them and no others."""
    route = draft.seen.route
    if not expected_of(draft.policy) or route is None or route.reach is None:
        return
    wanted = tuple([_candidate(draft, replica) for replica in replicas if _is_candidate(draft, replica)])
    known = {(one.replica, one.attempt, one.turn, one.address, one.port) for one in route.reach}
    ports = {(one.replica, one.attempt, one.turn, one.address, port) for one in wanted for port in one.ports}
    idle = {"connected", "answered"}
    others = {
        key for one in route.reach
        if one.state not in idle and (key := (one.replica, one.attempt, one.turn, one.address, one.port)) not in ports
    }  # fmt: skip
    if not ports <= known or others:
        draft.act(ReachReplicas(draft.rollout.service, wanted))


def _is_candidate(draft: Draft, replica: ReplicaSeen) -> bool:
    if replica.state != "ready" or not replica.address or replica.id in draft.stopping:
        return False
    record = record_of(draft.reachable, replica)
    if record is None or record.at is None or record.refused_at is not None:
        return True
    return bool(_unknown_ports(expected_of(draft.policy), replica, record))


def _candidate(draft: Draft, replica: ReplicaSeen) -> Candidate:
    expected, record = expected_of(draft.policy), record_of(draft.reachable, replica)
    ports, http = _ports(expected, replica), _http_ports(expected, replica)
    if record is not None and record.at is not None and record.refused_at is None:  # it serves; what else listens?
        ports, http = _unknown_ports(expected, replica, record), set()
    turn = record.turn if record is not None else 0
    return Candidate(
        replica.id, replica.attempt, replica.address, tuple(sorted(ports)), tuple(sorted(ports & http)), turn
    )
