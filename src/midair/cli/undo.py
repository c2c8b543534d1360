"""`midair undo`: back to the state before a change."""

import click

from midair.cli import complete, planned
from midair.cli.follow import see_to, stay
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


@click.command(short_help="Go back to the state before a change")
@click.argument("change", type=int, required=False, shell_complete=complete.undoable)
@file_options
@detach_option
@agree_option
@why_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session, change: int | None, detach: bool, yes: bool, why: str, timeout: float | None, as_json: bool
) -> int:
    """Go back to the state before the last change, or before change number CHANGE.

    Code, command, environment and replica counts come back together, also when the files here have moved on. Repeat
    it to go back further; midair history shows the numbers. An undo is a change itself and loses no request either.

    \b
    Examples:
      midair undo
      midair undo 12                # to the state before change 12
    """
    client = session.running()
    project = session.project(client)
    plan = client.undo_plan(project, change)
    confirmed = planned.agreed(plan, yes=yes, as_json=as_json)
    if plan.is_empty:
        return stay(client, project, detach=detach, as_json=as_json, timeout=timeout)
    accepted = client.undo(project, change, digest=plan.digest, confirmed=confirmed, by=who(), why=why)
    return see_to(client, accepted, detach=detach, as_json=as_json, timeout=timeout)
