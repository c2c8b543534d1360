"""`midair down`: drain and stop the project."""

import click

from midair import errors
from midair.cli import out
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


@click.command(short_help="Drain and stop the project")
@file_options
@click.option("--forget", is_flag=True, help="Then remove its history, releases, images and unnamed volumes.")
@detach_option
@why_option
@timeout_option
@json_option
@pass_session
def command(session: Session, forget: bool, detach: bool, why: str, timeout: float | None, as_json: bool) -> int:
    """Drain and stop everything of the project, then close its ports.

    Requests that are inside end first. The history stays, so midair undo brings everything back; with --forget
    nothing stays but volumes that the file names. Volumes without a name are deleted then, and printed.

    \b
    Examples:
      midair down
      midair down -p shop --forget  # a project of another folder, or of one that is gone
    """
    if forget and detach:
        raise errors.UsageRefused("cannot forget a project that is left alone", hint="use --forget without --detach")
    client = session.running()
    project = session.project(client)
    change = client.down(project, by=who(), why=why)
    nothing = "" if forget else f"nothing of {project} runs"
    code = see_to(client, change, detach=detach, as_json=as_json, timeout=timeout, nothing=nothing)
    if forget and code == 0:
        removed = client.forget(project)
        if as_json:
            out.json_line({"type": "forgotten", "project": project, "removed": removed})
        else:
            for text in removed:
                out.say(text)
            out.say(out.line("forgot", f"{project}: its history, releases and logs are gone"))
    return code
