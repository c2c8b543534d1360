"""The `midair` command: finds the file of a command, runs it, and turns every failure into a line and an exit code."""

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from midair import __version__, errors
from midair.cli import out
from midair.cli.group import Group
from midair.cli.session import Session, file_options

GROUPS = {
    "Change": ("up", "plan", "undo", "scale", "restart", "flag", "rename", "down"),
    "Run commands": ("exec", "run"),
    "Look": ("status", "ps", "watch", "logs", "events", "history", "counts", "config"),
    "Steer a change": ("pause", "resume", "promote", "abort", "hold", "release"),
    "midair itself": ("demo", "doctor", "daemon", "router", "serve", "completion", "version"),
}
STEERING = GROUPS["Steer a change"]


class Commands(Group):
    """Commands that are imported when they are used: one file each."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in GROUPS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"midair.cli.{'steer' if cmd_name in STEERING else cmd_name}")
        command: click.Command = getattr(module, "COMMANDS", {}).get(cmd_name) or module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            with formatter.section(title):
                formatter.write_dl([(name, command.get_short_help_str(70)) for name, command in commands if command])


@click.command(
    cls=Commands,
    epilog="Begin with: midair demo",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@file_options
@click.option("--debug", is_flag=True, expose_value=False, help="Show where in the program an error came from.")
@click.version_option(__version__, "--version", message="midair %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Change a running service without landing it.

    midair makes what runs equal to a Compose file while users keep using it, and counts the requests that were
    lost: none.
    """
    ctx.ensure_object(Session)
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run the command line: its exit code."""
    debug = "--debug" in arguments
    known = [argument for argument in arguments if argument != "--debug"]  # it may stand anywhere
    try:
        result: Any = cli.main(known, prog_name="midair", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except errors.MidairError as error:
        return _failed(error, debug)
    except click.exceptions.NoArgsIsHelpError as error:
        out.say(error.format_message())
        return 2
    except click.ClickException as error:
        return _failed(_refused(error), debug)
    except (KeyboardInterrupt, click.Abort):
        out.note("interrupted")
        return 130
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        if debug:
            raise
        out.fail(
            f"cannot go on: {type(error).__name__}: {error}", "run it again with --debug and report what it prints"
        )
        return 1


def _failed(error: errors.MidairError, debug: bool) -> int:
    if debug and error.__traceback__ is not None:
        import traceback

        traceback.print_exception(error)
    out.fail(error.message, error.hint)
    return error.exit_code


def _refused(error: click.ClickException) -> errors.UsageRefused:
    """What the option parser says, in our own style: lower case, no final stop, double quotes, a hint."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see {context.command_path} --help" if context else None
    near = getattr(error, "possibilities", None)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    text = _bad_value(error)
    if text is None:
        text = (error.message if near else error.format_message()).rstrip(".").replace("'", '"')
    return errors.UsageRefused(text[:1].lower() + text[1:], hint=hint)


def _bad_value(error: click.ClickException) -> str | None:
    """In our own words, for values whose kind is known to us."""
    if not isinstance(error, click.BadParameter) or error.param is None or "'" not in error.message:
        return None
    param, kind = error.param, error.param.type
    wanted = {"integer": "a whole number", "float": "a number"}.get(kind.name)
    if isinstance(kind, click.Choice):
        wanted = " or ".join(map(str, kind.choices))
    name = param.opts[-1] if isinstance(param, click.Option) else (param.name or "").upper()
    return f'cannot use {name} "{error.message.split(chr(39))[1]}": should be {wanted}' if wanted else None
