"""`midair logs`: what replicas printed."""

import click

from midair.cli import out
from midair.cli.session import Session, json_option, pass_session, project_option

_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")


@click.command(short_help="What replicas printed")
@click.argument("service", required=False)
@project_option
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they are printed.")
@click.option(
    "-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Only so many lines of each replica from before."
)
@json_option
@pass_session
def command(session: Session, service: str | None, follow: bool, tail: int | None, as_json: bool) -> None:
    """Show what replicas printed.

    \b
    Examples:
      midair logs web -n 20
      midair logs -f
      midair -f other.yaml logs     # files are named before the command, as with Docker Compose
    """
    client = session.client()
    colours: dict[str, str] = {}
    line = None
    for line in client.logs(session.project(client), service, follow=follow, tail=tail):
        if as_json:
            out.json_line(line)
            continue
        colour = colours.setdefault(line.replica, _COLOURS[len(colours) % len(_COLOURS)])
        out.say(f"{click.style(f'{line.replica} |', fg=colour)} {line.text}")
    if line is None and not as_json:
        out.note("no logs")
