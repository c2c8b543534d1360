"""What users would notice, so that somebody has to say yes first."""

from collections.abc import Iterable, Mapping

from midair.model.plan import Confirmation, PlanStep
from midair.model.project import Service
from midair.plan import exchange
from midair.plan.exchange import span

Place = tuple[str, int]  # address, "" for every one; port


def of_steps(
    steps: tuple[PlanStep, ...], before: Mapping[str, Service], after: Mapping[str, Service]
) -> tuple[Confirmation, ...]:
    """Everything about these steps that needs a yes."""
    found: list[Confirmation] = []
    heirs = {place for service in after.values() for place in _places(service)}
    for step in steps:
        if step.kind == "remove":
            found += _of_ports(before[step.service], None, heirs)
        elif step.kind == "change":
            found += _of_ports(before[step.service], after[step.service], heirs)
            found += _of_change(step, before[step.service], after[step.service])
    return tuple(found)


def _of_ports(before: Service, after: Service | None, heirs: set[Place]) -> Iterable[Confirmation]:
    """Where nobody answers any more. A port that another service gets is handed over."""
    kept = _places(after) if after is not None else {}
    closed = [place for place in _places(before) if place not in kept and ("", place[1]) not in kept]
    if not closed or not before.replicas:
        return
    left = [place for place in closed if place not in heirs]
    if left and after is None:
        yield Confirmation("port", before.name, f"is removed: nothing answers on port {_listed(left)} any more")
    elif left:
        yield Confirmation("port", before.name, f"no longer listens on port {_listed(left)}")


def _of_change(step: PlanStep, before: Service, after: Service) -> Iterable[Confirmation]:
    name = after.name
    if after.ports and before.replicas and after.replicas == 0:
        yield Confirmation("no-replica", name, f"has no replica any more: nothing answers on {_ports(after)}")
    if step.field_class == "recreate" and after.ports and exchange.longest_gap(after) > after.hold.timeout_s:
        yield Confirmation(
            "gap",
            name,
            f"may be away for {span(exchange.longest_gap(after))}, "
            f"but requests are held for {span(after.hold.timeout_s)} only",
        )
    if after.can.mounts:
        yield from _of_volumes(step, name, after.own_volumes)


def _of_volumes(step: PlanStep, name: str, own_volumes: tuple[str, ...]) -> Iterable[Confirmation]:
    """Other data in the same place. A volume that is added where there was an anonymous one hides what is in that."""
    for change in step.changes:
        place = change.path.removeprefix("volumes.")
        if place != change.path and (change.kind != "added" or place in own_volumes):
            yield Confirmation("data", name, f"{change.path} is {change.kind}: the new replica sees other data there")


def _places(service: Service) -> dict[Place, None]:
    """Where the router listens for it."""
    return {port.place: None for port in service.ports if port.protocol != "udp"}


def _listed(places: Iterable[Place]) -> str:
    return ", ".join(f"{host}:{port}" if host else str(port) for host, port in sorted(places))


def _ports(service: Service) -> str:
    return "port " + ", ".join(str(port.port) for port in service.ports)
