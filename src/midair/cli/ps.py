"""`midair ps`: a line for each replica."""

import click

from midair import errors
from midair.cli import complete, out, when
from midair.cli.session import Session, file_options, json_option, pass_session


@click.command(short_help="A line for each replica")
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=complete.services)
@file_options
@json_option
@pass_session
def command(session: Session, services: tuple[str, ...], as_json: bool) -> None:
    """List replicas.

    \b
    Examples:
      midair ps
      midair ps web --json
    """
    client = session.client()
    project = client.status(session.project(client))
    for name in services:
        if name not in [service.name for service in project.services]:
            known = ", ".join(service.name for service in project.services)
            raise errors.NotFound(
                f'cannot list "{name}": project "{project.name}" has no such service now',
                hint=f"use one of {known}" if known else "run midair up to start it",
            )
    replicas = [
        replica
        for service in project.services
        if not services or service.name in services
        for revision in service.revisions
        for replica in revision.replicas
    ]
    if as_json:
        out.json_line(replicas)
        return
    if not replicas:
        out.note("no replicas")
        return
    rows = [
        (
            each.id,
            out.paint(each.state),
            when.span(project.now - each.since),
            each.address,
            str(each.pid or ""),
            str(each.open),
            each.detail,
        )
        for each in replicas
    ]
    for line in out.table(("REPLICA", "STATE", "SINCE", "ADDRESS", "PID", "OPEN", ""), rows, right=("OPEN",)):
        out.say(line)
