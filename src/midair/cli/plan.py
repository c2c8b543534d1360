"""`midair plan`: what `midair up` would do, told before anything is touched."""

import click

from midair.cli import complete, out, planned
from midair.cli.session import Session, build_options, file_options, json_option, pass_session
from midair.errors import Refused
from midair.view.ask import PullPolicy

PENDING = 2


@click.command(short_help="Show what up would do, before anything is touched")
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=complete.file_services)
@file_options
@build_options
@click.option("--exit-code", is_flag=True, help="Exit with 2 when there is something to do.")
@json_option
@pass_session
def command(
    session: Session, services: tuple[str, ...], build: bool, pull: PullPolicy, exit_code: bool, as_json: bool
) -> int:
    """Show what midair up would do: each changed field, how it is carried out, why, and what users will notice.

    \b
    How a field is carried out:
      live      no process is touched
      reload    the process is told, and confirms
      resize    limits change under the running process
      replace   new replicas take over one by one, then the old ones end
      recreate  the old one has to end first; requests are held meanwhile
      refuse    cannot be done; nothing is touched

    \b
    Examples:
      midair plan
      midair plan --exit-code       # in CI: 0 nothing to do, 2 changes pending
    """
    project = session.load()
    client = session.running()
    project, name = session.known(project, client)
    plan = client.plan(project, services=services, name=name, build=build, pull=pull)
    if as_json:
        out.json_line(plan)
    else:
        planned.show(plan)
    if plan.refusals:
        return Refused.exit_code
    return PENDING if exit_code and not plan.is_empty else 0
