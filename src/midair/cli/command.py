"""What `midair exec` and `midair run` share: their options, and how a command is followed to its end."""

import os
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from midair import errors
from midair.cli.session import Session, project_option, who

F = TypeVar("F", bound=Callable[..., Any])
# Options stand before the service; all that follows is the command's own.
SETTINGS = {"allow_interspersed_args": False}


def command_options(command: F) -> F:
    """-T -e -w -u, as Docker Compose has them. Its -i and -t say what is so anyway."""
    for option in (
        click.option("-t", "--tty", "is_asked", is_flag=True, hidden=True),
        click.option("-i", "--interactive", is_flag=True, hidden=True),
        click.option("-u", "--user", metavar="USER", default="", help="Run as this user, not the service's."),
        click.option("-w", "--workdir", metavar="DIR", default="", help="Run in this folder, not the service's."),
        click.option(
            "-e", "--env", "variables", metavar="KEY[=VALUE]", multiple=True,
            help="Set a variable; without a value, to this shell's.",
        ),
        click.option("-T", "--no-tty", "--no-TTY", is_flag=True, help="Give the command no terminal."),
        project_option,
    ):  # fmt: skip
        command = option(command)
    return command


def follow(
    session: Session,
    how: Literal["exec", "run"],
    service: str,
    words: tuple[str, ...],
    options: dict[str, Any],
    *,
    index: int | None = None,
    publish: bool = False,
) -> int:
    """Run a command to its end: its exit code."""
    from midair.cli import terminal
    from midair.client.command import CommandStream
    from midair.model.command import Command
    from midair.view.ask import AskCommand

    client = session.client()
    is_terminal = terminal.has_terminal() and not options["no_tty"]
    if options["is_asked"] and not is_terminal:
        raise errors.UsageRefused("cannot give the command a terminal: this process has none", hint="leave -t out")
    variables = _variables(options["variables"])
    if is_terminal:
        variables = {"TERM": os.environ.get("TERM", "xterm"), **variables}
    command = Command(
        words[1:] if words[:1] == ("--",) else words, is_terminal, variables, options["workdir"], options["user"],
        *terminal.size(),
    )  # fmt: skip
    ask = AskCommand(command, index, publish, who())
    with CommandStream(client.home, session.project(client), service, how, ask) as stream:
        return terminal.Joint(stream, is_terminal=is_terminal).follow()


def _variables(entries: tuple[str, ...]) -> dict[str, str]:
    variables = {}
    for entry in entries:
        name, separator, value = entry.partition("=")
        if not name:
            raise errors.UsageRefused(f'cannot use -e "{entry}": it has no name')
        if separator:
            variables[name] = value
        elif name in os.environ:
            variables[name] = os.environ[name]
    return variables
