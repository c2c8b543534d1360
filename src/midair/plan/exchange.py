"""How the replicas of one service are exchanged: in which order, how many at a time, and who has to wait."""

from collections.abc import Mapping

import msgspec

from midair.model.moment import Span, format_span
from midair.model.project import Order, Service, StrategyStep


def order_of(service: Service) -> Order:
    """What the file says; else stop-first where two replicas would get in each other's way, else start-first."""
    if ends_first(service):
        return "stop-first"
    if service.update.order is not None:
        return service.update.order
    return "stop-first" if service.strategy.kind == "rolling" and why_alone(service) else "start-first"


def ends_first(service: Service) -> bool:
    """True when everything old ends before anything new begins."""
    return service.strategy.kind == "recreate" or service.moves


def runs_beside(service: Service) -> bool:
    """Whether the file asks for old and new replicas side by side, whatever they share."""
    if service.moves:
        return False
    return service.strategy.kind in SIDE_BY_SIDE or (
        service.strategy.kind == "rolling" and service.update.order == "start-first"
    )


def is_job(service: Service, services: Mapping[str, Service]) -> bool:
    """Whether its work is over when it ends well: by `restart: "no"`, or because another service waits for that."""
    waits = [other.depends_on[service.name] for other in services.values() if service.name in other.depends_on]
    is_awaited = any(dependency.condition == "service_completed_successfully" for dependency in waits)
    return service.restart.condition == "none" or (is_awaited and service.restart.condition != "any")


def why_alone(service: Service) -> str | None:
    """Why a replica of a service cannot run beside its successor; None when it can."""
    if service.own_volumes:
        return f"the next replica of the same number takes over the data in {', '.join(service.own_volumes)}"
    if service.replicas != 1:
        return None
    if service.writable_volume:
        return "its only replica writes to a volume"
    if service.can.isolated and (clash := _clash(service)):
        return clash
    return None if is_reachable(service) else UNREACHABLE


def is_reachable(service: Service) -> bool:
    """Whether others can connect to its replicas, as far as the file, its image and its running replicas say."""
    return bool(service.ports or service.names or service.listens or service.fields.get("expose"))


def _clash(service: Service) -> str | None:
    """What two containers cannot both have."""
    if service.fields.get("network_mode") == "host":
        return "two replicas cannot listen on the same port of the host's network"
    networks = service.fields.get("networks") or {}
    if service.fields.get("mac_address") or any((networks[name] or {}).keys() & _ADDRESSES for name in networks):
        return "two replicas cannot have the same address"
    return None


UNREACHABLE = "nothing can reach its only replica, and two would do its work twice"
SIDE_BY_SIDE = ("canary", "blue-green")  # the old replicas stay until the new ones have proved themselves
_ADDRESSES = {"ipv4_address", "ipv6_address", "mac_address"}


def has_own_pace(service: Service) -> bool:
    """Whether the file says how many replicas at a time go back."""
    return "parallelism" in ((service.fields.get("deploy") or {}).get("rollback_config") or {})


def on_return(service: Service) -> Service:
    """The service as it is exchanged when it goes back to a revision that has passed: no steps, no monitor."""
    order = service.rollback.order or order_of(service)
    pace = service.rollback.parallelism
    if not has_own_pace(service):
        pace = service.update.parallelism if order == "stop-first" else 0
    update = msgspec.structs.replace(service.rollback, order=order, parallelism=pace, monitor_s=0.0)
    kind = "rolling" if service.strategy.kind in SIDE_BY_SIDE else service.strategy.kind
    strategy = msgspec.structs.replace(service.strategy, kind=kind)
    return msgspec.structs.replace(service, update=update, strategy=strategy)


def on_restart(service: Service) -> Service:
    """The service as its replicas are replaced by others of the same revision: one after the other, without steps."""
    if service.strategy.kind not in SIDE_BY_SIDE:
        return service
    update = msgspec.structs.replace(service.update, order=order_of(service))
    strategy = msgspec.structs.replace(service.strategy, kind="rolling")
    return msgspec.structs.replace(service, update=update, strategy=strategy)


def at_a_time(service: Service) -> int:
    """How many replicas are exchanged together."""
    if ends_first(service) or service.update.parallelism == 0:
        return max(service.replicas, 1)
    return min(service.update.parallelism, max(service.replicas, 1))


def has_gap(service: Service) -> bool:
    """True when no replica serves for a while in the middle of an exchange, so that requests are held."""
    if service.strategy.kind in SIDE_BY_SIDE and not service.moves:
        return False
    return order_of(service) == "stop-first" and 0 < service.replicas <= at_a_time(service)


def most_alive(service: Service) -> int:
    """How many replicas can be alive at once in the middle of an exchange, those that drain or stop among them."""
    if service.moves or service.strategy.kind == "recreate" or order_of(service) == "stop-first":
        return service.replicas
    if service.drain.in_surge and service.strategy.kind == "rolling":
        return service.replicas + at_a_time(service)
    return 2 * service.replicas


def longest_gap(service: Service) -> Span:
    """How long a gap can be by what the file says: the old replica's grace, then the new one's start.

    Requests end by themselves, long before the drain deadline, and what does not is closed when the hold begins, unless
    it is to be waited for.
    """
    drain = service.drain.timeout_s if service.drain.long_lived == "wait" else 0.0
    check = service.healthcheck
    return drain + service.stop_grace_s + (check.start_period_s if check is not None else 0.0)


def in_words(service: Service) -> str:
    """The exchange in one line for people."""
    if service.replicas == 0:
        return "no replica"
    if has_gap(service):
        who = "the only replica" if service.replicas == 1 else f"all {service.replicas} replicas"
        held = f", requests held up to {span(service.hold.timeout_s)}" if is_reachable(service) else ""
        return f"{who} at once, stop-first{held}"
    if service.strategy.kind == "blue-green":
        return f"blue-green, {service.replicas} new beside the old, then all requests at once"
    pace = f"{at_a_time(service)} of {service.replicas} at a time, {order_of(service)}"
    if service.strategy.kind == "canary":
        return f"canary {' → '.join(_step(step) for step in service.strategy.steps)}, then {pace}"
    return f"rolling, {pace}"


def _step(step: StrategyStep) -> str:
    if step.weight is not None:
        return f"{step.weight} %"
    if step.pause_s is not None:
        return "promote" if step.pause_s < 0 else span(step.pause_s)
    return f"analysis {step.analysis}"


def span(seconds: Span) -> str:
    """A setting for people: 30s and not 30.0s, 5m and not 5m00s."""
    return f"{seconds:g}s" if seconds < 60 else format_span(seconds).removesuffix("00s").removesuffix("00m")
