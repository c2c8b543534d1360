"""What the core needs to know of a service's settings, out of the service as the file says it."""

from msgspec.structs import replace

from midair.model.project import Applied, Service
from midair.model.rollout import Goal, Policy
from midair.plan import limits_of, order_of, runs_beside


def policy_of(service: Service) -> Policy:
    """The settings that the core acts on, with the order chosen where the file leaves it open."""
    order = order_of(service)
    back = replace(service.rollback, order=service.rollback.order or order)
    return Policy(
        update=replace(service.update, order=order),
        rollback=back,
        strategy=service.strategy,
        restart=service.restart,
        drain=service.drain,
        hold=service.hold,
        ports=tuple(port for port in service.ports if port.protocol != "udp") + service.names,
        stop_signal=service.stop_signal,
        stop_grace_s=service.stop_grace_s,
        limits=limits_of(service),
        trusted_proxies=service.trusted_proxies,
        beside=runs_beside(service),
    )


def goal_of(applied: Applied, name: str) -> Goal:
    """What a service is to be by this state of the project; nothing if it is not in it."""
    service = applied.project.services.get(name)
    if service is None:
        return Goal(None, 0)
    return Goal(applied.revisions[name].id, service.replicas)
