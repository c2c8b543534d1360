"""What users would notice, so that somebody has to say yes first."""

from collections.abc import Iterable, Mapping

from midair.model.plan import Confirmation, PlanStep
from midair.model.project import Service
from midair.plan import exchange
from midair.plan.exchange import span


def of_steps(
    steps: tuple[PlanStep, ...], before: Mapping[str, Service], after: Mapping[str, Service]
) -> tuple[Confirmation, ...]:
    """Everything about these steps that needs a yes."""
    found: list[Confirmation] = []
    for step in steps:
        if step.kind == "remove":
            found += _of_removal(before[step.service])
        elif step.kind == "change":
            found += _of_change(step, before[step.service], after[step.service])
    return tuple(found)


def _of_removal(service: Service) -> Iterable[Confirmation]:
    if service.ports and service.replicas:
        yield Confirmation("port", service.name, f"is removed: nothing answers on {_ports(service)} any more")


def _of_change(step: PlanStep, before: Service, after: Service) -> Iterable[Confirmation]:
    name = after.name
    closed = {port.port for port in before.ports} - {port.port for port in after.ports}
    if closed and before.replicas:
        numbers = ", ".join(str(number) for number in sorted(closed))
        yield Confirmation("port", name, f"no longer listens on port {numbers}")
    if after.ports and before.replicas and after.replicas == 0:
        yield Confirmation("no-replica", name, f"has no replica any more: nothing answers on {_ports(after)}")
    if step.field_class == "recreate" and after.ports and exchange.longest_gap(after) > after.hold.timeout_s:
        yield Confirmation(
            "gap",
            name,
            f"may be away for {span(exchange.longest_gap(after))}, "
            f"but requests are held for {span(after.hold.timeout_s)} only",
        )
    if after.runtime != "process":
        yield from _of_volumes(step, name)


def _of_volumes(step: PlanStep, name: str) -> Iterable[Confirmation]:
    for change in step.changes:
        if change.path.startswith("volumes.") and change.kind != "added":
            yield Confirmation("data", name, f"{change.path} is {change.kind}: the new replica sees other data there")


def _ports(service: Service) -> str:
    return "port " + ", ".join(str(port.port) for port in service.ports)
