"""`midair events`: the history in full."""

from typing import TYPE_CHECKING

import click

from midair import errors
from midair.cli import complete, out, story, when
from midair.cli.session import Session, json_option, pass_session, project_option

if TYPE_CHECKING:
    from midair.client import Client


@click.command(short_help="Everything that happened")
@project_option
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option("--after", type=int, metavar="NUMBER", help="Only events with a higher number.")
@click.option(
    "--change", type=int, metavar="CHANGE", shell_complete=complete.changes, help="Only events of this change."
)
@json_option
@pass_session
def command(session: Session, follow: bool, after: int | None, change: int | None, as_json: bool) -> None:
    """Show everything that happened: each decision, each replica, each route.

    \b
    Examples:
      midair events --change 12
      midair events -f --json
    """
    client = session.client()
    project = session.project(client)
    start = 0 if follow and after is None else after
    if change is not None and follow:
        _check_exists(client, project, change)
    shown = False
    for event in client.events(project, after=start, follow=follow):
        if change is not None and event.change != change:
            continue
        shown = True
        if as_json:
            out.json_line(event)
        else:
            out.say(f"{event.number:>6}  {when.stamp(event.at)}  {story.about(event):<10}  {story.what(event)}")
    if change is not None and not shown:
        _check_exists(client, project, change)


def _check_exists(client: "Client", project: str, change: int) -> None:
    try:
        client.change(project, change)
    except errors.NotFound:
        message = f"cannot show events: change {change} does not exist"
        raise errors.NotFound(message, hint="see midair history") from None
