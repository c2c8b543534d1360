"""What a person should know about a plan that needs no decision. One sentence each, never twice."""

from collections.abc import Iterable, Mapping

from midair.model.capabilities import RuntimeName
from midair.model.ids import FOREIGN
from midair.model.plan import LiveService, PlanStep
from midair.model.project import Applied, Project, Service
from midair.model.protocol import is_usual_for_http, likely_protocol
from midair.plan import exchange, fronts, own_port
from midair.plan.exchange import span
from midair.plan.fields import Fields, fields_of
from midair.plan.links import databases
from midair.plan.table import GROUPS, row_of
from midair.plan.unused import unused

_PLACES: dict[RuntimeName, str] = {
    "process": "plain processes",
    "docker": "Docker",
    "swarm": "Swarm",
    "kubernetes": "Kubernetes",
}
_BY_NAME = (("networks",), ("models",))  # set by being there
_LATER = {"x-midair.on_change"}
_LIMITS = {row.path for group in GROUPS if group.title == "Limits" for row in group.rows}


def of_file(services: Iterable[Service]) -> tuple[str, ...]:
    """What the file asks for that its runtime does not do, in one line for each kind."""
    plain: dict[RuntimeName, list[str]] = {}
    limits: list[str] = []
    later: list[str] = []
    udp: list[str] = []
    for service in services:
        names = [*without_effect(fields_of(service), service.runtime), *unused(service)]
        names = sorted([*(name for name in names if name != "volumes" or not service.links), *_unlinked(service)])
        limiting = [name for name in names if name in _LIMITS and not service.can.limits]
        others = [name for name in names if name not in limiting and name not in _LATER]
        later += [f"{service.name} ({', '.join(awaited)})"] if (awaited := _not_yet(service)) else []
        if others:
            plain.setdefault(service.runtime, []).append(f"{service.name} ({', '.join(others)})")
        if limiting:
            limits.append(f"{service.name} ({', '.join(limiting)})")
        udp += [f"{service.name}: port {port.port}/udp" for port in service.ports if port.protocol == "udp"]
    found = [f"without effect on {_PLACES[runtime]}: {', '.join(parts)}" for runtime, parts in plain.items()]
    found += [f"not supported yet: {', '.join(later)}"] if later else []
    found += [f"limits are not applied to plain processes yet: {', '.join(limits)}"] if limits else []
    return (*found, *(f"{port} is not published: the router carries HTTP and TCP" for port in udp))


def _not_yet(service: Service) -> list[str]:
    """What no runtime acts on so far."""
    analysis = any(step.analysis for step in service.strategy.steps)
    named = (("x-midair.on_change", service.on_change), ("x-midair.rollout.steps.analysis", analysis))
    return [name for name, is_set in named if is_set]


def of_shared(before: Applied | None, project: Project) -> tuple[str, ...]:
    """Networks and volumes that are there already and would have to be made again to be as the file says now."""
    if before is None or not any(service.can.mounts for service in project.services.values()):
        return ()
    return tuple(
        f"{kind[:-1]} {name}: its definition has changed; what is there stays as it is"
        for kind in ("networks", "volumes")
        for name, entry in (project.fields.get(kind) or {}).items()
        if entry != (before.project.fields.get(kind) or {}).get(name, entry)
    )


def without_effect(fields: Fields, runtime: RuntimeName) -> list[str]:
    """The fields that are set and have no effect on this runtime, as the table names them."""
    names: dict[str, None] = {}
    for path, value in fields.items():
        if path == ("networks", "default"):
            continue  # every service is in it without asking
        row = row_of(path)
        if row.path == "build.args" and ("x-midair", "build", "command") in fields:
            # The command that makes the release has them in its environment.
            continue
        if row.on(runtime) == "named" and (path[:1] in _BY_NAME or value not in (None, False, "", [], {})):
            names[row.path] = None
    return sorted(names)


def of_live(
    steps: Iterable[PlanStep], services: Mapping[str, Service], live: Mapping[str, LiveService]
) -> tuple[str, ...]:
    """Services of which less is there than was applied, though nothing about them changes."""
    kept = [step.service for step in steps if step.kind == "keep" and step.service in live]
    return tuple(
        f"{name}: {live[name].ready} of {services[name].replicas} replicas ready now; midair is restoring the rest"
        for name in kept
        # Services with another restart condition may have done their work and ended.
        if services[name].restart.condition == "any" and live[name].ready < services[name].replicas
    )


def of_steps(
    steps: tuple[PlanStep, ...], services: Mapping[str, Service], live: Mapping[str, LiveService]
) -> tuple[str, ...]:
    """What the steps of a plan mean for those who use the services."""
    begun = [services[step.service] for step in steps if starts_replicas(step)]
    is_exchanged = [_is_exchanged(step, live.get(step.service)) for step in steps]
    exchanged = [services[step.service] for step, exchanged in zip(steps, is_exchanged, strict=True) if exchanged]
    found: list[str] = []
    for service in begun:
        found += _of_start(service)
    for step in steps:
        if step.kind == "add" or (step.kind == "change" and step.before == FOREIGN):
            found += _of_protocols(services[step.service])
    for service in exchanged:
        found += [*_of_exchange(service), *fronts.of_exchange(service)]
    long_lived = frozenset(name for name, seen in live.items() if seen.long_lived)
    return tuple(found) + _of_connections(exchanged, long_lived)


def _of_protocols(service: Service) -> Iterable[str]:
    """Ports of containers that are taken for HTTP although neither the file nor their number says so."""
    if not service.can.images or service.extension.get("protocol"):
        return
    for entry in service.fields.get("ports") or []:
        is_said = entry.get("app_protocol") or entry.get("protocol") == "udp" or not entry.get("published")
        target = int(entry["target"])
        if not is_said and likely_protocol(target) == "http" and not is_usual_for_http(target):
            yield f"{service.name}: HTTP is expected on port {target}; if it is not: `x-midair: {{protocol: tcp}}`"


def _unlinked(service: Service) -> list[str]:
    """Volumes of a plain process that do not lead into its release, where others do."""
    if not service.links:
        return []
    linked = {link.target for link in service.links}
    others = [target for volume in service.fields.get("volumes") or [] if (target := volume["target"]) not in linked]
    return [f"volumes at {', '.join(others)}"] if others else []


def starts_replicas(step: PlanStep) -> bool:
    """Whether replicas of another revision are started."""
    return step.kind == "add" or (step.kind == "change" and step.before != step.after and step.job != "done")


def _is_exchanged(step: PlanStep, live: LiveService | None) -> bool:
    """Whether replicas take the place of others. A job that has ended leaves nothing that could run beside the next."""
    if step.kind != "change" or not (starts_replicas(step) or step.restarts):
        return False
    return step.job == "" or (live is not None and live.ready > 0)


def _of_start(service: Service) -> Iterable[str]:
    name = service.name
    if service.can.releases and service.build is None:
        yield f"{name}: runs in its folder as it is, so undo cannot restore its files (`build:` would keep them)"
    if cost := fronts.cost_of_none(service):
        yield cost
    is_mapped = service.own_port is not None and own_port.own_port(service).note
    if service.can.port_variable and not is_mapped and (fixed := _fixed_port(service)):
        yield f"{name}: its command names port {fixed}; each replica has to listen on $PORT instead"


def _fixed_port(service: Service) -> int | None:
    """The target port, if the command names it and not PORT: two replicas could not both listen on it."""
    words = (*(service.entrypoint or ()), *(service.command or ()))
    if any("PORT" in word for word in words):
        return None
    for port in service.ports:
        if any(word == str(port.target) or word.endswith((f":{port.target}", f"={port.target}")) for word in words):
            return port.target
    return None


def _of_exchange(service: Service) -> Iterable[str]:
    name = service.name
    if exchange.has_gap(service):
        reason = exchange.why_alone(service) or "the file asks for stop-first"
        if service.moves:
            reason = "files of its release become shared and are moved"
        meanwhile = ""
        if reason == exchange.UNREACHABLE:
            meanwhile = " (`order: start-first` runs both for a while)"
        elif exchange.is_reachable(service):
            meanwhile = f"; requests are held meanwhile, up to {span(service.hold.timeout_s)}"
        yield f"{name}: {reason}, so the old one stops before the new one starts{meanwhile}"
    elif service.own_volumes and not exchange.runs_beside(service):
        yield f"{name}: {exchange.why_alone(service)}, so each stops before the next one starts"
    elif shared := databases(service.links):
        yield f"{name}: old and new replicas use {', '.join(shared)} side by side for a while, as SQLite allows"
    clash = exchange.why_alone(service)
    if exchange.runs_beside(service) and clash not in (None, exchange.UNREACHABLE):
        kind = "start-first" if service.strategy.kind == "rolling" else service.strategy.kind
        yield f"{name}: {clash}, but a {kind} rollout runs a second one beside it"
    if any(step.analysis for step in service.strategy.steps):
        yield f"{name}: nothing measures for analysis steps yet, so they wait for midair promote"
    if service.ports and service.drain.timeout_s < service.stop_grace_s:
        yield (
            f"{name}: drains for {span(service.drain.timeout_s)}, shorter than its stop grace period of "
            f"{span(service.stop_grace_s)}: a request that takes longer meets the stop signal"
        )


def _closing(service: Service) -> str:
    """When WebSockets to a replica that leaves are closed, and when event streams."""
    drain = service.drain
    if exchange.has_gap(service):
        return "are closed politely at once"
    if drain.websocket_s in (None, drain.timeout_s):
        return f"are closed politely after {span(drain.timeout_s)}"
    return f"are closed politely within {span(drain.websocket_s or 0.0)} and after {span(drain.timeout_s)}"


def _of_connections(services: list[Service], long_lived: frozenset[str]) -> tuple[str, ...]:
    """Long-lived connections end when their replica does: one line for each way in which they do."""
    politely: dict[str, list[str]] = {}
    waiting: list[str] = []
    tcp: list[str] = []
    for service in services:
        protocols = {port.protocol for port in service.ports}
        carries_bytes = "tcp" in protocols or any(port.protocol == "tcp" for port in service.names)
        has_http = "http" in protocols and service.name in long_lived
        if service.drain.long_lived == "wait" and (has_http or carries_bytes):
            waiting.append(service.name)
            continue
        if has_http:
            when = _closing(service)
            politely.setdefault(when, []).append(service.name)
        if carries_bytes:
            tcp.append(service.name)
    found = [
        f"{', '.join(names)}: WebSockets and streams to the old replicas {when}" for when, names in politely.items()
    ]
    found += [f"{', '.join(waiting)}: waits for long-lived connections for as long as they last"] if waiting else []
    found += [f"{', '.join(tcp)}: TCP connections are closed once they are idle; clients connect again"] if tcp else []
    return tuple(found)
