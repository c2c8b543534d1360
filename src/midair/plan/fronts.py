"""What a plan says of names on Docker: how many fronts they need, what it costs to have none, which lead nowhere."""

from collections.abc import Iterable

from midair.model.fronts import MEMORY_MB, fronted, names_on, networks_of, opts_out
from midair.model.ids import FOREIGN
from midair.model.plan import PlanStep
from midair.model.project import Project, Service

_LABEL, _NAME = 63, 253  # characters at most: RFC 1035, 2.3.4


def of_new(steps: Iterable[PlanStep], project: Project) -> tuple[str, ...]:
    """How many fronts come with services that this plan begins with, and what they need."""
    new = {step.service for step in steps if step.kind == "add" or (step.kind == "change" and step.before == FOREIGN)}
    count = sum(service.name in new for service in fronted(project))
    if not count:
        return ()
    containers = "1 front, a small container" if count == 1 else f"{count} fronts, small containers"
    return (f"names lead to {containers} of about {MEMORY_MB} MB of memory{' each' if count > 1 else ''}",)


def cost_of_none(service: Service) -> str:
    """What `front: none` takes away, or ""."""
    if not service.can.fronts or not opts_out(service) or not networks_of(service):
        return ""
    return (
        f"{service.name}: has no front, so calls by its name go past the router: those to a replica that is replaced "
        "fail, and none are counted"
    )


def of_exchange(service: Service) -> Iterable[str]:
    """Callers of other projects find the replica that has the container name beside the front."""
    name = service.fields.get("container_name")
    if name and name != service.name and service.can.fronts and networks_of(service) and not opts_out(service):
        yield f'{service.name}: name "{name}" moves to the new replica: callers in other projects may lose a connection'


def refused(steps: Iterable[PlanStep], project: Project) -> Iterable[str]:
    """Names that no caller could look up."""
    touched = {step.service for step in steps if step.kind != "keep"}
    for service in fronted(project):
        names = dict.fromkeys(name for _, settings in networks_of(service) for name in names_on(service, settings))
        for name in names if service.name in touched else ():
            longest = max(len(label.encode()) for label in name.split("."))
            if longest > _LABEL:
                yield f'{service.name}: name "{name}" has {longest} characters, and DNS allows {_LABEL}'
            elif len(name.encode()) > _NAME:
                yield f'{service.name}: name "{name}" has {len(name)} characters, and DNS allows {_NAME}'
