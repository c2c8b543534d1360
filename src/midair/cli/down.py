"""`midair down`: drain and stop the project."""

import click

from midair.cli import out
from midair.cli.follow import follow
from midair.cli.session import Session, file_options, json_option, pass_session, who


@click.command(short_help="Drain and stop the project")
@file_options
@click.option("-d", "--detach", is_flag=True, help="Return as soon as the change is accepted.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Stop watching after so long; the change goes on.")
@json_option
@pass_session
def command(session: Session, detach: bool, timeout: float | None, as_json: bool) -> int:
    """Drain and stop everything of the project, then close its ports.

    Requests that are inside end first. The history stays, so midair undo brings everything back.
    """
    client = session.client()
    client.ensure_daemon()
    change = client.down(session.project(client), by=who())
    if detach:
        out.left(change.id, as_json=as_json)
        return 0
    return follow(client, change, as_json=as_json, timeout=timeout)
