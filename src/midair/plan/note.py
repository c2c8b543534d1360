"""Facts about a plan that are worth a line and no warning: how midair reads the file, and what it does by itself."""

from collections.abc import Iterable, Mapping

from midair.model.plan import PlanStep
from midair.model.project import Service
from midair.plan import own_port
from midair.plan.exchange import most_alive
from midair.plan.links import described
from midair.plan.render import CODE
from midair.plan.warn import starts_replicas

_VARIABLE = "environment."


def of_steps(steps: tuple[PlanStep, ...], services: Mapping[str, Service]) -> tuple[str, ...]:
    """The notes on every service of which replicas are started."""
    begun = (services[step.service] for step in steps if starts_replicas(step))
    exchanged = [services[step.service] for step in steps if step.kind == "change" and starts_replicas(step)]
    texts = [text for service in begun for text in _of_start(service)]
    alive = [f"{one.name} {most}" for one in exchanged if (most := most_alive(one)) > max(one.replicas, 1)]
    return (*texts, f"most replicas alive at once, with those that drain: {', '.join(alive)}") if alive else (*texts,)


def of_builds(steps: tuple[PlanStep, ...], services: Mapping[str, Service]) -> tuple[str, ...]:
    """The notes on the variables of build commands. A state of the history is not built again: not for undo."""
    begun = [step for step in steps if starts_replicas(step)]
    return tuple(text for step in begun for text in _of_build(step, services[step.service]))


def _of_start(service: Service) -> Iterable[str]:
    name = service.name
    if service.links:
        yield f"{name}: linked into each release: {described(service.links)}"
    listens = any(port.protocol != "udp" for port in service.ports)
    if listens and service.healthcheck is None and service.ready is None:
        yield f"{name}: no health check, so a port that answers the router counts as ready"
    if service.own_port is not None and (text := own_port.own_port(service).note):
        yield text


def _of_build(step: PlanStep, service: Service) -> Iterable[str]:
    """Why a build command runs again, where a variable may be the reason and need not be."""
    if not service.can.releases or service.build is None or service.build.command is None:
        return
    missing = [name for name in service.build_env or () if name not in service.environment]
    if missing:
        yield f"{service.name}: x-midair.build_env names {', '.join(missing)}, which its environment does not set"
    paths = [change.path for change in step.changes]
    changed = [path.removeprefix(_VARIABLE) for path in paths if path.startswith(_VARIABLE)]
    if service.build_env is None and changed and CODE in paths:
        others = ", ".join(name for name in service.environment if name not in changed)
        yield (
            f"{service.name}: the build command sees {', '.join(changed)}, so it runs again; "
            f"if it does not need that, write x-midair: {{build_env: [{others}]}}"
        )
