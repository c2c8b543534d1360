"""`midair restart`: other replicas of the same revision."""

import click

from midair.cli import complete, planned
from midair.cli.follow import see_to
from midair.cli.session import (
    Session,
    agree_option,
    detach_option,
    file_options,
    json_option,
    pass_session,
    timeout_option,
    who,
    why_option,
)


@click.command(short_help="Replace replicas by others of the same revision")
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=complete.services)
@file_options
@detach_option
@agree_option
@why_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session, services: tuple[str, ...], detach: bool, yes: bool, why: str, timeout: float | None, as_json: bool
) -> int:
    """Replace every replica of the services, or of all, by one of the same revision.

    New replicas take over from the old ones as in any change, without losing a request. Code, image and settings stay
    those of the last midair up: changes of the files wait for the next one. A one-shot that has completed is run again
    only when it is named. There is nothing to undo.

    \b
    Examples:
      midair restart
      midair restart web worker
    """
    client = session.running()
    project = session.project(client)
    plan = client.restart_plan(project, services)
    confirmed = planned.agreed(plan, yes=yes, as_json=as_json)
    if plan.is_empty:
        return 0
    change = client.restart(project, services, digest=plan.digest, confirmed=confirmed, by=who(), why=why)
    return see_to(client, change, detach=detach, as_json=as_json, timeout=timeout)
