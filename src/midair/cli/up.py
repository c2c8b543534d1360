"""`midair up`: plan, ask only if something is not safe in flight, apply, show progress until done."""

import sys
from collections.abc import Callable

import click
import msgspec

from midair.cli import complete, out, planned
from midair.cli.commit import commit_of
from midair.cli.follow import follow, stay
from midair.cli.session import (
    Session,
    agree_option,
    build_options,
    detach_option,
    file_options,
    json_option,
    pass_session,
    timeout_option,
    who,
    why_option,
)
from midair.model.plan import Plan
from midair.model.project import Project
from midair.view.ask import PullPolicy
from midair.view.event import EventView


@click.command(short_help="Make what runs equal to the Compose file")
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=complete.file_services)
@file_options
@build_options
@detach_option
@agree_option
@why_option
@timeout_option
@json_option
@pass_session
def command(
    session: Session,
    services: tuple[str, ...],
    build: bool,
    pull: PullPolicy,
    detach: bool,
    yes: bool,
    why: str,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Make what runs equal to the Compose file, while users keep using it.

    Shows the plan, and asks only if users would notice something. If the new revision fails, everything goes back to
    what ran before, by itself. Warnings that were there in an earlier change are counted; midair plan shows them all.

    \b
    Examples:
      midair up                     # compose.yaml here
      midair up web                 # web, and what it depends on
      midair up -f a.yaml -f b.yaml --detach
      midair up --build             # also where nothing changed, on base images as they are now

    \b
    Exit codes: 0 done, 1 trouble, 2 bad file or usage, 3 rolled back, 4 needs --yes
    """
    project = session.load()
    client = session.running()
    project, name = session.known(project, client)
    plan = client.plan(project, services=services, name=name, applies=True, build=build, pull=pull)
    confirmed = planned.agreed(plan, yes=yes, as_json=as_json, repeated=False)
    if plan.is_empty and not session.is_moved(project, name, client):
        return stay(client, name, detach=detach, as_json=as_json, timeout=timeout)
    sys.stdout.flush()
    built = None if as_json else _built(out.label_width(plan.touched))
    project = msgspec.structs.replace(project, commit=commit_of(project.folder))
    change = client.apply(
        project, plan.digest, confirmed=confirmed, services=services, by=who(), why=why, name=name, progress=built,
        build=build, pull=pull,
    )  # fmt: skip
    if build and change.has_ended:  # what was built is the same: there is no other change
        return stay(client, name, detach=detach, as_json=as_json, timeout=timeout)
    if detach:
        out.left(change.id, as_json=as_json)
        return 0
    code = follow(client, change, as_json=as_json, timeout=timeout)
    if code == 0 and not as_json:
        _addresses(project, plan)
    return code


def _built(width: int) -> Callable[[EventView], None]:
    """Shows a line that building printed."""

    def show(event: EventView) -> None:
        out.note(out.line(event.service or "build", event.text.removeprefix(f"{event.service}: "), width=width))

    return show


def _addresses(project: Project, plan: Plan) -> None:
    """Where the services that are new answer."""
    for step in plan.steps:
        for port in project.services[step.service].ports if step.kind == "add" else ():
            if port.protocol == "udp":
                continue
            scheme = "http" if port.protocol == "http" else port.protocol
            host = f"[{port.host}]" if ":" in port.host else port.host or "localhost"
            out.say(out.line("open", f"{scheme}://{host}:{port.port}  {step.service}"))
