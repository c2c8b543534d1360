"""`midair status`: a project as it is now."""

import click

from midair.cli import out, tree
from midair.cli.session import Session, file_options, json_option, pass_session
from midair.view.status import ProjectSummary


@click.command(short_help="Services, revisions and replicas as they are now")
@file_options
@click.option("--all", "everything", is_flag=True, help="A line for each project.")
@json_option
@pass_session
def command(session: Session, everything: bool, as_json: bool) -> None:
    """Show services, their revisions, and their replicas.

    \b
    Examples:
      midair status                 # the project of this folder
      midair status -p shop
      midair status --all           # a line for each project
    """
    client = session.client()
    if everything:
        _all(client.projects(), as_json)
        return
    project = client.status(session.project(client))
    if as_json:
        out.json_line(project)
        return
    for line in tree.lines(project):
        out.say(line)


def _all(projects: tuple[ProjectSummary, ...], as_json: bool) -> None:
    if as_json:
        out.json_line(projects)
    elif not projects:
        out.note("no project yet; begin with midair up")
    else:
        rows = [
            (each.name, f"{each.serving} of {each.wanted}", str(each.change or ""), _phase(each), each.folder)
            for each in projects
        ]
        for line in out.table(("PROJECT", "SERVING", "CHANGE", "PHASE", "FOLDER"), rows):
            out.say(line)


def _phase(project: ProjectSummary) -> str:
    is_down = project.phase == "completed" and not project.services
    return click.style("down", dim=True) if is_down else out.paint(project.phase)
