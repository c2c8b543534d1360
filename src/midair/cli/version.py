"""`midair version`."""

import platform

import click

from midair import __version__
from midair.cli import out
from midair.cli.session import json_option


@click.command(short_help="Print the version")
@json_option
def command(as_json: bool) -> None:
    """Print the version."""
    if as_json:
        out.json_line({"version": __version__, "python": platform.python_version()})
    else:
        out.say(f"midair {__version__}, Python {platform.python_version()}")
