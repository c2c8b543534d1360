"""`midair demo`: a bundled service, changed in every way under load, with the count at the end."""

import click


@click.command(short_help="Change a small web app in every way, under load")
@click.option("--keep", is_flag=True, help="Leave everything running and say where, to play with it.")
def command(keep: bool) -> int:
    """Change a small web app in every way while users use it, and count what was lost.

    Everything runs in a temporary folder, on free ports, and is gone afterwards. It takes under a minute, and exits
    with 1 if a single request was lost.
    """
    from midair.demo.run import run

    return run(keep=keep)
