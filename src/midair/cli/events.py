"""`midair events`: the history in full."""

import click

from midair.cli import out, story, when
from midair.cli.session import Session, json_option, pass_session, project_option


@click.command(short_help="Everything that happened")
@project_option
@click.option("-f", "--follow", is_flag=True, help="Go on with events as they happen.")
@click.option("--after", type=int, metavar="NUMBER", help="Only events with a higher number.")
@click.option("--change", type=int, metavar="CHANGE", help="Only events of this change.")
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
    start = 0 if follow and after is None else after
    for event in client.events(session.project(client), after=start, follow=follow):
        if change is not None and event.change != change:
            continue
        if as_json:
            out.json_line(event)
        else:
            out.say(f"{event.number:>6}  {when.stamp(event.at)}  {story.about(event):<10}  {story.what(event)}")
