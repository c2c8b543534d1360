"""`midair run`: one more process of a service, which is no replica."""

from typing import Any

import click

from midair.cli.command import SETTINGS, command_options, follow
from midair.cli.session import Session, pass_session


@click.command(short_help="Run one more process of a service", context_settings=SETTINGS)
@click.argument("service")
@click.argument("words", metavar="[COMMAND...]", nargs=-1, type=click.UNPROCESSED)
@command_options
@click.option("--rm", is_flag=True, help="Leave nothing behind; always so.")
@click.option("-P", "--service-ports", is_flag=True, help="Publish the service's ports.")
@click.option("--no-deps", is_flag=True, hidden=True)
@pass_session
def command(
    session: Session,
    /,
    service: str,
    words: tuple[str, ...],
    rm: bool,
    service_ports: bool,
    no_deps: bool,
    **options: Any,
) -> int:
    """Run one more process of a service as it was applied last, with its own command or another one.

    It is no replica: it gets no requests, and no change waits for it. It ends with this process and with the daemon.

    \b
    Examples:
      midair run web python manage.py migrate
      midair run -e DEBUG=1 worker
    """
    return follow(session, "run", service, words, options, publish=service_ports)
