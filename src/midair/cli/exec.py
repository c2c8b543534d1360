"""`midair exec`: a command beside a running replica."""

from typing import Any

import click

from midair.cli.command import SETTINGS, command_options, follow
from midair.cli.session import Session, pass_session


@click.command(short_help="Run a command beside a running replica", context_settings=SETTINGS)
@click.argument("service")
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@command_options
@click.option("--index", type=click.IntRange(min=1), metavar="N", help="Choose the replica, counted from 1.")
@pass_session
def command(session: Session, /, service: str, words: tuple[str, ...], index: int | None, **options: Any) -> int:
    """Run a command with what a running replica of a service has: environment, folder, user and limits.

    The command ends with this process, with the replica and with the daemon. Its exit code is passed on.

    \b
    Examples:
      midair exec web sh
      midair exec -T db pg_dump shop > shop.sql
      midair exec --index 2 -e DEBUG=1 web python manage.py shell
    """
    return follow(session, "exec", service, words, options, index=index)
