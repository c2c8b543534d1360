"""`midair watch`: a project as it changes."""

import sys

import click

from midair.cli.feed import Feed
from midair.cli.follow import TICK_S, JsonLines, Lines, Screen
from midair.cli.session import Session, file_options, json_option, pass_session


@click.command(short_help="See what happens as it happens")
@file_options
@json_option
@pass_session
def command(session: Session, as_json: bool) -> None:
    """Show what happens as it happens, until Ctrl-C.

    On a terminal, a panel shows every replica and the counts; in a pipe there is a line for each event.

    \b
    Examples:
      midair watch
      midair watch --json | jq .event.text
    """
    client = session.client()
    name = session.project(client)
    project = client.status(name)
    change = project.change
    running = change is not None and not change.has_ended
    began = change.created_at if change is not None and running else project.now
    screen: Screen
    if as_json:
        screen = JsonLines()
    elif sys.stdout.isatty():
        from midair.cli.live import Live

        screen = Live(client, name, began)
    else:
        screen = Lines(client, name, began, services=[service.name for service in project.services], all_of_it=True)
    feed = Feed(client, name, change.first_event - 1 if change is not None and running else None)
    try:
        while True:
            event = feed.next(TICK_S)
            if event is None:
                screen.tick()
            else:
                screen.event(event)
    except KeyboardInterrupt:
        pass
    finally:
        screen.close()
