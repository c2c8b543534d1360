"""What one call of the command line works on: which files, which project, which daemon."""

import os
import pwd
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from midair import __version__, errors
from midair.cli import out

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

    def load(self) -> "Project":
        """Read the Compose files."""
        from midair.cli.load import load_project

        _here()
        return load_project(files=self.files, project_name=self.name, profiles=self.profiles, env_files=self.env_files)

    def project(self, client: "Client") -> str:
        """The name of the project: as given, or as the control plane knows it by its folder, or from the files."""
        if given := self.name or os.environ.get("COMPOSE_PROJECT_NAME"):
            return given
        if not self.files and "COMPOSE_FILE" not in os.environ:
            here = _here()
            near = [summary for summary in client.projects() if summary.folder and _is_in(here, summary.folder)]
            deepest = max((len(summary.folder) for summary in near), default=0)
            found = [summary.name for summary in near if len(summary.folder) == deepest]
            if len(found) == 1:
                return found[0]
        try:
            return self.load().name
        except errors.NotFound as error:
            names = ", ".join(summary.name for summary in client.projects())
            hint = f"say which project with -p: {names}" if names else error.hint
            raise errors.NotFound(error.message, hint=hint) from None


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise errors.NotFound("cannot look around: this folder was removed", hint="go to another one") from None


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _keep(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value:  # what the command says replaces what the group said
            setattr(ctx.ensure_object(Session), name, value)

    return keep


def project_option(command: F) -> F:
    """-p, for commands that only need to know which project."""
    return click.option(
        "-p", "--project-name", metavar="NAME", expose_value=False, callback=_keep("name"), help="Project name."
    )(command)


def file_options(command: F) -> F:
    """-f -p --profile --env-file, as Docker Compose has them."""
    for option in (
        click.option(
            "--env-file", metavar="FILE", multiple=True, expose_value=False, callback=_keep("env_files"),
            help="Read variables from FILE instead of .env.",
        ),
        click.option(
            "--profile", metavar="NAME", multiple=True, expose_value=False, callback=_keep("profiles"),
            help="Also run the services of this profile.",
        ),
        project_option,
        click.option(
            "-f", "--file", metavar="FILE", multiple=True, expose_value=False, callback=_keep("files"),
            help="Compose file; several are merged in order.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def json_option(command: F) -> F:
    """--json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON with documented fields.")(command)


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
