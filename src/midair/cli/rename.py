"""`midair rename`: another name for a project."""

import os

import click

from midair import errors
from midair.cli import complete, out
from midair.cli.session import Session, json_option, pass_session, who
from midair.view.status import ProjectSummary


@click.command(short_help="Give a project another name")
@click.argument("old", shell_complete=complete.projects)
@click.argument("new")
@json_option
@pass_session
def command(session: Session, old: str, new: str, as_json: bool) -> None:
    """Give a project another name, while it runs.

    History, counts, flags and ports stay, and nothing is replaced. Volumes, networks and containers keep the names
    they have, and applications that ask for the flags of OLD still get them.

    \b
    Examples:
      midair rename shop store
    """
    client = session.running()
    try:
        project = client.rename(old, new, by=who())
    except errors.NothingToDo:
        if not as_json:
            out.say(f"nothing to do: {old} is named {new} already")
            return
        project = next(each for each in client.projects() if each.name == new)
    if as_json:
        out.json_line(project)
        return
    out.say(f"{old} is named {new} now; its volumes and networks keep their names")
    if hint := _hint(project):
        out.note(f"hint: {hint}")


def _hint(project: ProjectSummary) -> str:
    """What is left to do, so that the next `up` means this project."""
    if project.named == "file":
        file = project.files[0] if project.files else os.path.join(project.folder, "compose.yaml")
        return f"write `name: {project.name}` in {file}"
    return f"name it with -p {project.name} from now on" if project.named == "asked" else ""
