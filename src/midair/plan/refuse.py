"""What cannot be done at all, in sentences like those of `errors`."""

from collections.abc import Iterable

from midair.model.plan import PlanStep
from midair.model.project import Service
from midair.plan.fields import fields_of
from midair.plan.table import row_of


def of_file(services: Iterable[Service]) -> tuple[str, ...]:
    """Services that their runtime could not start, whatever has changed."""
    listed = tuple(services)
    return (*(text for service in listed for text in _of_service(service)), *_of_ports(listed))


def of_steps(steps: tuple[PlanStep, ...]) -> tuple[str, ...]:
    """Changes that no runtime can carry out on a service that runs."""
    return tuple(
        f"cannot change {change.path} of {step.service}: {change.cause}"
        for step in steps
        for change in step.changes
        if change.field_class == "refuse"
    )


def _of_service(service: Service) -> Iterable[str]:
    for path in sorted({row_of(path).path for path in fields_of(service) if path[0] != "x-midair"}):
        row = row_of(tuple(path.split(".")))
        if row.on(service.runtime) == "refuse":
            yield f"cannot run {service.name}: {path}: {row.why(service.runtime)}"
    if service.runtime == "process" and not (service.command or service.entrypoint):
        yield f"cannot run {service.name}: {_no_command(service)}"


def _of_ports(services: tuple[Service, ...]) -> Iterable[str]:
    """Two services cannot publish the same port, unless each listens on an address of its own."""
    taken: dict[tuple[int, bool], list[tuple[str, str]]] = {}
    for service in services:
        for port in service.ports:
            others = taken.setdefault((port.port, port.protocol == "udp"), [])
            for name, host in others:
                if host == port.host or _EVERYWHERE & {host, port.host}:
                    yield f"cannot publish port {port.port} of {service.name}: {name} publishes it too"
            others.append((service.name, port.host))


_EVERYWHERE = {"", "0.0.0.0", "::"}


def _no_command(service: Service) -> str:
    if service.build is not None:
        return "it has no command, and the process runtime reads no Dockerfile (give it a `command:`)"
    if service.image is not None:
        return f'the process runtime cannot run an image ("{service.image}"): give it a `command:`'
    return "it has neither a command nor an image"
