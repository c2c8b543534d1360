"""A group of commands that knows what was probably meant."""

import click

from midair import errors


class Group(click.Group):
    """Refuses an unknown command with the one that is nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            import difflib

            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            path = ctx.command_path
            hint = f"did you mean {path} {near[0]}?" if near else f"run {path} --help to see all commands"
            raise errors.UsageRefused(f'no such command "{args[0]}"', hint=hint)
        return super().resolve_command(ctx, args)
