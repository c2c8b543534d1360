"""What one call of the command line works on: which files, which project, which daemon."""

import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midair import __version__, errors
from midair.cli import complete, out, place

if TYPE_CHECKING:
    from midair.client import Client
    from midair.model.project import Project

F = TypeVar("F", bound=Callable[..., Any])


class Session:
    """Collected from the options of the group and of the command; imports what is heavy only when it is needed."""

    def __init__(self) -> None:
        self.files: tuple[str, ...] = ()
        self.name: str | None = None
        self.profiles: tuple[str, ...] = ()
        self.env_files: tuple[str, ...] = ()

    def client(self) -> "Client":
        """The door to the control plane; it is not started by this."""
        from midair.client import Client

        return Client()

    def running(self) -> "Client":
        """The door to the control plane, which is started if it does not run."""
        client = self.client()
        version = client.ensure_daemon().version
        if version != __version__:
            out.note(
                f"the control plane is midair {version}, this is {__version__}; renew it with midair daemon restart"
            )
        return client

    def load(self, name: str | None = None) -> "Project":
        """Read the Compose files, as the project of this name if one is given."""
        from midair.cli.load import load_project

        _here()
        return load_project(
            files=self.files,
            project_name=name or self.name,
            profiles=self.profiles,
            env_files=self.env_files,
        )

    def known(self, project: "Project", client: "Client") -> tuple["Project", str]:
        """What the files say, as the project that they are on record, and what people call that.

        A project that was renamed is read under its key, since its volumes and networks are named after it.
        """
        import msgspec

        projects = client.projects()
        known = place.chosen(project, projects) or place.only([one for one in projects if one.name == project.name])
        key = (known.key or known.name) if known is not None else project.name
        if known is None or key == project.name:
            return project, known.name if known is not None else project.name
        if project.named == "folder" and known.folder != project.folder:
            out.note(f"this folder is project {known.name}, moved here from {known.folder}")
        loaded = self.load(key)
        return (loaded if known.name == key else msgspec.structs.replace(loaded, named=project.named)), known.name

    def is_moved(self, project: "Project", name: str, client: "Client") -> bool:
        """Whether the project is on record in another folder, which a change without a difference corrects."""
        folders = [summary.folder for summary in client.projects() if summary.name == name]
        return bool(folders) and folders[0] != project.folder

    def project(self, client: "Client") -> str:
        """The name of the project: as asked for, else as `up` would find it.

        The file is read only where it could name another project than the one on record for its folder.
        """
        if given := self.name or os.environ.get("COMPOSE_PROJECT_NAME"):
            return given
        projects = client.projects()
        known = None
        if not self.files and "COMPOSE_FILE" not in os.environ:
            file = place.first_file(_here())
            known = place.only(place.recorded(file, projects) if file else place.around(_here(), projects))
            if known is not None and (file is None or (known.named != "asked" and not _says_more(file))):
                return known.name
        try:
            project = self.load()
        except errors.FileRefused:
            if known is not None:
                return known.name
            raise
        except errors.NotFound as error:
            names = ", ".join(summary.name for summary in projects)
            hint = f"say which project with -p: {names}" if names else error.hint
            raise errors.NotFound(error.message, hint=hint) from None
        recorded = place.chosen(project, projects)
        return recorded.name if recorded is not None else project.name


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise errors.NotFound("cannot look around: this folder was removed", hint="go to another one") from None


def _says_more(file: str) -> bool:
    """Whether a `.env` beside the file may name another file or project."""
    try:
        with open(os.path.join(os.path.dirname(file), ".env"), "rb") as variables:
            return b"COMPOSE_" in variables.read()
    except OSError:
        return False


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:  # what the command says replaces what the group said
            setattr(ctx.ensure_object(Session), name, value)

    return keep


def project_option(command: F) -> F:
    """-p, for commands that only need to know which project."""
    return click.option(
        "-p",
        "--project-name",
        metavar="NAME",
        expose_value=False,
        callback=_keep("name"),
        help="Project name.",
        shell_complete=complete.projects,
    )(command)


def file_options(command: F) -> F:
    """-f -p --profile --env-file, as Docker Compose has them."""
    for option in (
        click.option(
            "--env-file", metavar="FILE", multiple=True, expose_value=False, callback=_keep("env_files"),
            shell_complete=complete.files,
            help="Read variables from FILE instead of .env.",
        ),
        click.option(
            "--profile", metavar="NAME", multiple=True, expose_value=False, callback=_keep("profiles"),
            help="Also run the services of this profile.",
        ),
        project_option,
        click.option(
            "-f", "--file", metavar="FILE", multiple=True, expose_value=False, callback=_keep("files"),
            shell_complete=complete.files,
            help="Compose file; several are merged in order.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def build_options(command: F) -> F:
    """--build and --pull, as Docker Compose has them."""
    for option in (
        click.option(
            "--pull", type=click.Choice(["always", "missing", "never"]), callback=lambda *given: given[2] or "",
            help="Ask registries so, whatever the file says.",
        ),
        click.option("--build", is_flag=True, help="Build images again, on base images as they are now."),
    ):  # fmt: skip
        command = option(command)
    return command


def json_option(command: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")(command)


detach_option = click.option("-d", "--detach", is_flag=True, help="Return as soon as the change is accepted.")
agree_option = click.option("-y", "--yes", is_flag=True, help="Confirm user-visible effects.")
timeout_option = click.option(
    "--timeout", type=float, metavar="SECONDS", help="Stop watching after so long; the change goes on."
)
why_option = click.option("--why", default="", metavar="TEXT", help="The reason, for the history.")
pass_session = click.make_pass_decorator(Session, ensure=True)


def who() -> str:
    """Who asks, for the history."""
    named = os.environ.get("MIDAIR_BY") or os.environ.get("SUDO_USER") or os.environ.get("USER")
    if named:
        return named
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a user that no database knows, as in many containers
        return str(os.getuid())
