"""`midair pause`, `resume`, `promote`, `abort`, `hold`, `release`: an operator's wishes about one service."""

import click

from midair.cli import complete, out
from midair.cli.session import Session, file_options, json_option, pass_session
from midair.view.ask import WishName

HELP: dict[WishName, tuple[str, str, str]] = {
    "pause": (
        "Stop a rollout where it is.",
        "Replicas that are there go on serving; no more are started or stopped until midair resume.",
        "paused; go on with midair resume {service}",
    ),
    "resume": ("Go on with a paused rollout.", "", "goes on"),
    "promote": (
        "Skip the waiting: go to the new revision now.",
        "For a rollout that pauses between steps or waits for analysis.",
        "promoted",
    ),
    "abort": (
        "Give a change up: go back to what ran before it.",
        "All services of the change go back together.",
        "goes back; see it with midair watch",
    ),
    "hold": (
        "Let new requests wait at the router.",
        "They are answered after midair release, or refused when they have waited for the service's hold timeout "
        "(x-midair.hold, 30s by default).",
        "requests wait; let them go with midair release {service}",
    ),
    "release": ("Let waiting requests go on.", "", "requests go on"),
}


def _command(wish: WishName) -> click.Command:
    short, more, done = HELP[wish]

    @click.command(wish, short_help=short.rstrip("."), help=f"{short}\n\n{more}\n\n\b\nExample:\n  midair {wish} web")
    @click.argument("service", shell_complete=complete.services)
    @file_options
    @json_option
    @pass_session
    def command(session: Session, service: str, as_json: bool) -> None:
        client = session.client()
        project = session.project(client)
        client.wish(project, service, wish)
        if as_json:
            out.json_line({"type": "wish", "wish": wish, "project": project, "service": service})
        else:
            out.say(out.line(service, done.format(service=service)))

    return command


COMMANDS = {wish: _command(wish) for wish in HELP}
