"""`midair completion`: the script by which a shell completes commands, options and names."""

import click
from click.shell_completion import get_completion_class

from midair.cli import out


@click.command(short_help="Print the completion script of a shell")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes commands, options, services, flags, changes and projects.

    \b
    Examples:
      midair completion bash > ~/.local/share/bash-completion/completions/midair
      midair completion zsh > ~/.zfunc/_midair          # with fpath+=~/.zfunc before compinit
      midair completion fish > ~/.config/fish/completions/midair.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None, "click knows them"
    out.say(kind(ctx.find_root().command, {}, "midair", "_MIDAIR_COMPLETE").source().rstrip())
