"""`midair serve`: the control plane in the foreground."""

import os
import sys

import click

from midair.cli.session import Session, pass_session


@click.command(short_help="Run the control plane in the foreground")
@pass_session
def command(session: Session) -> None:
    """Run the control plane in the foreground.

    midair up starts it in the background by itself. Ending it stops no replica and loses no request: they go on, and
    the next one takes over from there.

    \b
    Example:
      MIDAIR_HOME=/srv/midair midair serve
    """
    home = session.client().home
    os.execv(sys.executable, [sys.executable, "-m", "midair.daemon", "--home", str(home)])
