"""The state of a project as a tree of lines: service, revision, replica."""

import click

from midair.cli import out, when
from midair.view.status import ProjectView, ReplicaView, RevisionView, ServiceView
from midair.view.uncounted import counted_text


def lines(project: ProjectView) -> list[str]:
    """Everything about a project that a person should know now."""
    made = [_head(project)]
    if project.problem:
        made.append(click.style(f"problem: {project.problem}", fg="red"))
    if project.router is not None and project.router.death:
        made.append(click.style(project.router.death, fg="yellow"))
    for service in project.services:
        made += ["", *_service(service, project.now)]
    if not project.services:
        made.append("nothing runs; midair up or midair undo starts it again, midair down --forget forgets it")
    return made


def _head(project: ProjectView) -> str:
    counts = project.counts
    text = counted_text(counts, project.uncounted)
    lost = f"{counts.lost:,} lost"
    text = text.replace(lost, click.style(lost, fg="red" if counts.lost else "green"))
    text = f"{click.style(project.name, bold=True)}  {text}"
    if (change := project.change) is not None:
        moment = change.ended_at or change.created_at
        ago = when.span(project.now - moment)
        text += f"  ·  change {change.id} {out.paint(change.phase)} {ago} ago"
    return text


def _service(service: ServiceView, now: float) -> list[str]:
    ports = " ".join(f"{'' if port.protocol == 'http' else port.protocol + '/'}:{port.port}" for port in service.ports)
    head = f"{click.style(service.name, bold=True)}  {_standing(service)}  {ports}".rstrip()
    if service.phase != "completed":
        head += f"  {out.paint(service.phase)}"
    if service.reason and service.phase not in ("progressing", "completed"):
        head += f": {service.reason}"
    elif service.step:
        head += f": {service.step}"
    if service.hold:
        head += click.style(f"  holding, {out.count(service.held, 'request')} waiting", fg="magenta")
    made = [head]
    if not service.observed:
        made.append(click.style(f"  cannot be seen just now, this may be old: {service.problem}", fg="yellow"))
    elif service.problem:
        made.append(click.style(f"  {service.problem}", fg="yellow"))
    made += [f"  {click.style('trouble', fg='red')} {trouble.text}" for trouble in service.troubles]
    for revision in service.revisions:
        made += _revision(revision, now, routed=bool(service.ports))
    return made


def _standing(service: ServiceView) -> str:
    if service.ports:
        return f"{service.in_place} of {service.wanted} serving"
    states = {replica.state for revision in service.revisions for replica in revision.replicas}
    return "completed" if states == {"completed"} else f"{service.in_place} of {service.wanted} running"


def _revision(revision: RevisionView, now: float, *, routed: bool) -> list[str]:
    role = "" if revision.role == "goal" else "  on its way out"
    head = f"  {revision.id}" + (f"  {revision.share:.0f} % of requests" if routed else "") + role
    rows = [_replica(replica, now) for replica in revision.replicas]
    widths = [max(len(click.unstyle(cell)) for cell in column) for column in zip(*rows, strict=True)]
    made = [head]
    for row in rows:
        cells = (cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(row, widths, strict=True))
        made.append("    " + "  ".join(cells).rstrip())
    return made


def _replica(replica: ReplicaView, now: float) -> tuple[str, ...]:
    return (
        str(replica.ordinal),
        out.paint(replica.state),
        when.span(now - replica.since),
        replica.address,
        f"pid {replica.pid}" if replica.pid else "",
        f"{replica.open} open" if replica.open else "",
        f"attempt {replica.attempt}" if replica.attempt > 1 else "",
        replica.detail,
    )
