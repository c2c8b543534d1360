"""What cannot be done at all: reasons that go after "cannot apply the plan: "."""

from collections.abc import Iterable
from itertools import combinations

from midair.model.plan import PlanStep
from midair.model.project import Applied, Project, Service
from midair.plan import own_port
from midair.plan.fields import fields_of
from midair.plan.table import row_of


def of_file(services: Iterable[Service]) -> tuple[str, ...]:
    """Services that their runtime could not start, whatever has changed."""
    return tuple(text for service in services for text in _of_service(service))


def of_name(project: Project, others: Iterable[Project]) -> Iterable[str]:
    """A file cannot begin another project where its folder runs one: its `name:` was changed.

    With `-p` somebody asked for one beside the other. `others`: the projects that run.
    """
    for other in others:
        same = project.folder == other.folder or (project.folder_id and project.folder_id == other.folder_id)
        if project.named == "file" and other.named != "asked" and same and _first(project) == _first(other):
            yield (
                f"this folder is project {other.name} until now: rename it with "
                f"`midair rename {other.name} {project.name}`, write `name: {other.name}` to change that project, "
                f"or run both with `-p {project.name}`"
            )


def _first(project: Project) -> str:
    return project.files[0].removeprefix(project.folder) if project.files else ""


def of_steps(steps: tuple[PlanStep, ...]) -> tuple[str, ...]:
    """Changes that no runtime can carry out on a service that runs."""
    return tuple(
        f"{step.service}: {change.path}: {change.cause}"
        for step in steps
        for change in step.changes
        if change.field_class == "refuse"
    )


def _of_service(service: Service) -> Iterable[str]:
    if service.own_port is not None:
        yield from own_port.own_port(service).refusals
    for path in sorted({row_of(path).path for path in fields_of(service) if path[0] != "x-midair"}):
        row = row_of(tuple(path.split(".")))
        if row.on(service.runtime) == "refuse":
            yield f"{service.name}: {path}: {row.why(service.runtime)}"
    for first, second in combinations(service.links, 2):
        paths = sorted((f"{first.path.rstrip('/')}/", f"{second.path.rstrip('/')}/"))
        if paths[1].startswith(paths[0]):
            yield f"{service.name}: {first.path} and {second.path} cannot both be linked: one is inside the other"
    if not service.can.images and not (service.command or service.entrypoint):
        yield f"{service.name}: {_no_command(service)}"


def of_ports(services: Iterable[Service]) -> Iterable[str]:
    """Two services cannot publish the same port, unless each listens on an address of its own.

    The reader sees to that within a file; services that a partial `up` leaves as they are may be in the way too.
    """
    taken: dict[tuple[int, bool], list[tuple[str, str]]] = {}
    for service in services:
        for port in service.ports:
            others = taken.setdefault((port.port, port.protocol == "udp"), [])
            for name, host in others:
                if host == port.host or _EVERYWHERE & {host, port.host}:
                    yield f"{service.name}: port {port.port} is published by {name} too"
            others.append((service.name, port.host))


_EVERYWHERE = {"", "0.0.0.0", "::"}


def of_moves(before: Applied, after: Applied) -> Iterable[str]:
    """Files cannot be moved while another service still uses them: it has to stop, too."""
    for name, service in after.project.services.items():
        if not service.moves:
            continue
        release = before.revisions[name].release
        for other, revision in before.revisions.items():
            partner = after.project.services.get(other)
            same = revision.release == release and before.project.services[other].replicas > 0
            if same and other != name and not (partner is not None and partner.moves):
                yield (
                    f"{name}: files become shared, and {other} runs in the same release: "
                    f"write `shared` for {other}, too, and change both at once"
                )


def _no_command(service: Service) -> str:
    if service.build is not None:
        return "it has no command, and the process runtime reads no Dockerfile (give it a `command:`)"
    if service.image is not None:
        return f'the process runtime cannot run an image ("{service.image}"): give it a `command:`'
    return "it has neither a command nor an image"
