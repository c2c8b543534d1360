"""How the replicas of one service are exchanged: in which order, how many at a time, and who has to wait."""

from midair.model.moment import Span, format_span
from midair.model.project import Order, Service


def order_of(service: Service) -> Order:
    """What `update_config.order` says; else stop-first for a single replica that writes to a volume, else start-first.

    Two replicas that write to the same files would damage them; requests are held while the one is exchanged.
    """
    if service.strategy.kind == "recreate":
        return "stop-first"
    if service.update.order is not None:
        return service.update.order
    return "stop-first" if service.writable_volume and service.replicas == 1 else "start-first"


def at_a_time(service: Service) -> int:
    """How many replicas are exchanged together."""
    if service.strategy.kind == "recreate" or service.update.parallelism == 0:
        return max(service.replicas, 1)
    return min(service.update.parallelism, max(service.replicas, 1))


def has_gap(service: Service) -> bool:
    """True when no replica serves for a while in the middle of an exchange, so that requests are held."""
    return order_of(service) == "stop-first" and 0 < service.replicas <= at_a_time(service)


def longest_gap(service: Service) -> Span:
    """How long a gap can be by what the file says: the old replica's drain and grace, then the new one's start.

    Requests end by themselves, long before the drain deadline; TCP clients keep their connections for as long as
    they can.
    """
    drain = service.drain.timeout_s if any(port.protocol == "tcp" for port in service.ports) else 0.0
    check = service.healthcheck
    return drain + service.stop_grace_s + (check.start_period_s if check is not None else 0.0)


def in_words(service: Service) -> str:
    """The exchange in one line for people."""
    if service.replicas == 0:
        return "no replica"
    if has_gap(service):
        who = "the only replica" if service.replicas == 1 else f"all {service.replicas} replicas"
        return f"{who} at once, stop-first, requests held up to {span(service.hold.timeout_s)}"
    kind = service.strategy.kind
    return f"{kind}, {at_a_time(service)} of {service.replicas} at a time, {order_of(service)}"


def span(seconds: Span) -> str:
    """A setting for people: 30s and not 30.0s, 5m and not 5m00s."""
    return f"{seconds:g}s" if seconds < 60 else format_span(seconds).removesuffix("00s").removesuffix("00m")
