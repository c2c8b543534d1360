"""What the core needs to know of a service's settings, out of the service as the file says it."""

from collections.abc import Mapping
from typing import Literal

from msgspec.structs import replace

from midair.model.project import Applied, Service
from midair.model.protocol import is_usual_for_http
from midair.model.rollout import Expected, Goal, Policy
from midair.plan import has_own_pace, is_job, limits_of, order_of, runs_beside


def policy_of(service: Service, services: Mapping[str, Service] | None = None) -> Policy:
    """The settings that the core acts on, with the order chosen where the file leaves it open.

    `services`: all of the project, one of which may wait for this one's end.
    """
    order = order_of(service)
    back = replace(service.rollback, order=service.rollback.order or order)
    return Policy(
        update=replace(service.update, order=order),
        rollback=back,
        strategy=replace(service.strategy, kind="recreate") if service.moves else service.strategy,
        restart=service.restart,
        drain=service.drain,
        hold=service.hold,
        ports=tuple(port for port in service.ports if port.protocol != "udp") + service.names,
        front=service.front is not None,
        stop_signal=service.stop_signal,
        stop_grace_s=service.stop_grace_s,
        one_shot=is_job(service, services or {}),
        limits=limits_of(service),
        trusted_proxies=service.trusted_proxies,
        beside=runs_beside(service),
        expects=_expected(service),
        all_return=not has_own_pace(service),
    )


def _expected(service: Service) -> tuple[Expected, ...]:
    """Its TCP ports: those that it publishes, those of `expose`, and those that its image alone names."""
    exposed = {str(entry).partition("/")[0].partition("-")[0] for entry in service.fields.get("expose") or ()}
    found: dict[int, Expected] = {}
    for port in service.ports:
        if port.protocol != "udp":
            http = port.protocol == "http" and (_says_http(service, port.target) or is_usual_for_http(port.target))
            found.setdefault(port.target, Expected(port.target, "ports", http))
    for port in service.names:
        http = port.protocol == "http" and is_usual_for_http(port.target)
        source: Literal["expose", "image"] = "expose" if str(port.target) in exposed else "image"
        found.setdefault(port.target, Expected(port.target, source, http))
    return tuple(found.values())


def _says_http(service: Service, target: int) -> bool:
    """Whether the file itself says that HTTP is spoken on a published port."""
    entries = [one for one in service.fields.get("ports") or () if one.get("target") == target]
    return service.extension.get("protocol") == "http" or any(one.get("app_protocol") for one in entries)


def goal_of(applied: Applied, name: str) -> Goal:
    """What a service is to be by this state of the project; nothing if it is not in it."""
    service = applied.project.services.get(name)
    if service is None:
        return Goal(None, 0)
    return Goal(applied.revisions[name].id, service.replicas)
