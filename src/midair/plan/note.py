"""Facts about a plan that are worth a line and no warning: how midair reads the file, and what it does by itself."""

from collections.abc import Iterable, Mapping

from midair.model.plan import PlanStep
from midair.model.project import Service
from midair.plan import own_port
from midair.plan.links import described
from midair.plan.warn import starts_replicas


def of_steps(steps: tuple[PlanStep, ...], services: Mapping[str, Service]) -> tuple[str, ...]:
    """The notes on every service of which replicas are started."""
    begun = (services[step.service] for step in steps if starts_replicas(step))
    return tuple(text for service in begun for text in _of_start(service))


def _of_start(service: Service) -> Iterable[str]:
    name = service.name
    if service.links:
        yield f"{name}: linked into each release: {described(service.links)}"
    listens = any(port.protocol != "udp" for port in service.ports)
    if listens and service.healthcheck is None and service.ready is None:
        yield f"{name}: no health check, so a port that answers the router counts as ready"
    if service.own_port is not None and (text := own_port.own_port(service).note):
        yield text
