"""`midair scale`: another number of replicas."""

from typing import TYPE_CHECKING

import click

from midair import errors
from midair.cli import complete, out, planned
from midair.cli.follow import see_to
from midair.cli.session import (
    Session,
    detach_option,
    file_options,
    json_option,
    pass_session,
    timeout_option,
    who,
    why_option,
)

if TYPE_CHECKING:
    from midair.client import Client


@click.command(short_help="Run another number of replicas")
@click.argument(
    "counts", metavar="SERVICE=REPLICAS...", nargs=-1, required=True, shell_complete=complete.replica_counts
)
@file_options
@click.option("-y", "--yes", is_flag=True, help="Agree to leaving a service without a replica.")
@detach_option
@why_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session, counts: tuple[str, ...], yes: bool, detach: bool, why: str, timeout: float | None, as_json: bool
) -> int:
    """Run another number of replicas of a service.

    The next midair up keeps this number unless the file's own number has changed meanwhile, and says so in its plan.

    \b
    Example:
      midair scale web=6 api=2
    """
    wanted = dict(_parse(text) for text in counts)
    client = session.running()
    project = session.project(client)
    none = [service for service, number in wanted.items() if number == 0 and _publishes(client, project, service)]
    if none:
        planned.agree(f"scale {', '.join(none)} to 0", "nothing would answer users there", yes=yes)
    change = client.scale(project, wanted, by=who(), why=why)
    already = ", ".join(f"{service} has {out.count(number, 'replica')}" for service, number in wanted.items())
    return see_to(client, change, detach=detach, as_json=as_json, timeout=timeout, nothing=f"{already} already")


# More than any number of replicas has.
_DIGITS = 9


def _publishes(client: "Client", project: str, service: str) -> bool:
    found = [one for one in client.status(project).services if one.name == service]
    return any(one.ports for one in found)


def _parse(text: str) -> tuple[str, int]:
    service, _, number = text.partition("=")
    if not service or not (number.isascii() and number.isdigit()) or len(number) > _DIGITS:
        raise errors.UsageRefused(f'cannot scale: should be like web=3, got "{text}"')
    return service, int(number)
