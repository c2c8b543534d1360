"""Which services are active: those without profiles, and those with an active one."""

from collections.abc import Sequence

from midair.spec.node import Node
from midair.spec.problems import Problems, did_you_mean, got, join, one_of


def activate(model: Node, profiles: Sequence[str], problems: Problems) -> Node:
    """The model with its active services only; a needed one that is not active is a problem."""
    services = model.get("services")
    if services is None:
        return model
    active = {name: each for name, each in services.entries() if _is_active(each, profiles)}
    checked = {name: _depend(name, each, active, services, problems) for name, each in active.items()}
    return model.with_entry("services", services.with_value(checked))


def _profiles(service: Node) -> list[str]:
    node = service.get("profiles")
    return [each.value for each in node.items()] if node is not None else []


def _is_active(service: Node, profiles: Sequence[str]) -> bool:
    needed = _profiles(service)
    return not needed or "*" in profiles or any(profile in profiles for profile in needed)


def _depend(name: str, service: Node, active: dict[str, Node], services: Node, problems: Problems) -> Node:
    needs = service.get("depends_on")
    if needs is None:
        return service
    left: dict[str, Node] = {}
    for other, entry in needs.entries():
        required = entry.get("required")
        if other in active:
            left[other] = entry
        elif services.get(other) is None:
            hint = did_you_mean(other, (each for each, _ in services.entries()))
            path = join(join(join("services", name), "depends_on"), other)
            problems.add(path, f"there is no service {got(other)}{hint}", entry.place)
        elif required is None or required.value is not False:
            path = join(join(join("services", name), "depends_on"), other)
            wanted = one_of(_profiles(services.value[other]))
            message = (
                f"service {got(other)} is not active: it needs profile {wanted}; write required: false, or activate it"
            )
            problems.add(path, message, entry.place)
    return service.with_entry("depends_on", needs.with_value(left) if left else None)
