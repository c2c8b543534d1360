"""`midair router …`: the router of a project."""

import click

from midair.cli import out
from midair.cli.group import Group
from midair.cli.session import Session, file_options, json_option, pass_session


@click.group(cls=Group, short_help="Look after the router of a project")
def command() -> None:
    """Look after the router of a project."""


@command.command(short_help="Replace its process; no request is lost")
@file_options
@json_option
@pass_session
def restart(session: Session, as_json: bool) -> None:
    """Put a new router process, of the version installed now, in its place. No request is lost.

    The listening sockets pass to the successor; requests inside the old process end there.
    """
    client = session.client()
    name = session.project(client)
    before = client.status(name).router
    client.router_restart(name)
    after = client.status(name).router
    if as_json:
        out.json_line(after)
        return
    pids = f": pid {before.pid} → {after.pid}" if before and after else ""
    out.say(f"router of {name} restarted{pids}")
