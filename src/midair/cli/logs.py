"""`midair logs`: what replicas printed."""

import click

from midair.cli import complete, out, when
from midair.cli.session import Session, json_option, pass_session, project_option

_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "bright_cyan", "bright_yellow", "bright_green")


@click.command(short_help="What replicas printed")
@click.argument("service", required=False, shell_complete=complete.services)
@project_option
@click.option("-f", "--follow", is_flag=True, help="Go on with lines as they are printed.")
@click.option("-n", "--tail", type=click.IntRange(min=0), metavar="LINES", help="Show only the last LINES lines.")
@click.option("--since", metavar="TIME", help="Show only lines since TIME: 10m, or 2027-01-15T08:00:00Z.")
@click.option("-t", "--timestamps", is_flag=True, help="Show when each line was printed.")
@json_option
@pass_session
def command(
    session: Session, service: str | None, follow: bool, tail: int | None, since: str | None, timestamps: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Show what replicas printed, in order of time.

    \b
    Examples:
      midair logs web -n 20
      midair logs -f
      midair logs --since 10m -t
      midair -f other.yaml logs     # files are named before the command, as with Docker Compose
    """
    start = when.since(since) if since is not None else None
    client = session.client()
    colours: dict[str, str] = {}
    line = None
    for line in client.logs(session.project(client), service, follow=follow, tail=tail, since=start):
        if as_json:
            out.json_line(line)
            continue
        colour = colours.setdefault(line.replica, _COLOURS[len(colours) % len(_COLOURS)])
        time = f"{when.exact(line.time)} " if timestamps else ""
        out.say(f"{click.style(f'{line.replica} |', fg=colour)} {time}{line.text}")
    if line is None and not as_json:
        out.note("no logs")
