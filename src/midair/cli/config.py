"""`midair config`: the Compose files as midair reads them."""

from typing import Any

import click

from midair import errors
from midair.cli import out
from midair.cli.session import Session, file_options, pass_session


@click.command(short_help="Show the Compose files as they are read")
@click.argument("service", nargs=-1)
@file_options
@click.option("--services", is_flag=True, help="Show only the names of the services.")
@click.option("-q", "--quiet", is_flag=True, help="Show nothing; only check.")
@click.option("--format", "kind", type=click.Choice(("yaml", "json")), default="yaml", help="Choose YAML or JSON.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@pass_session
def command(session: Session, service: tuple[str, ...], services: bool, quiet: bool, kind: str, as_json: bool) -> None:
    """Show the Compose files as they are read: merged, with variables, defaults of names and no short forms.

    What is printed means the same in the same folder. Needs no daemon. Contents of secrets are not shown.

    \b
    Examples:
      midair config
      midair config -q && midair up
      midair config --services
    """
    project = session.load()
    for warning in project.warnings:
        out.note(f"note   {warning}")
    from midair.spec import write

    fields = _chosen(write.written(project), service)
    if quiet:
        return
    if services:
        for name in fields["services"]:
            out.say(name)
        return
    text = write.as_json(fields) if as_json or kind == "json" else write.as_yaml(fields)
    out.say(text.rstrip("\n"))


def _chosen(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """With these services alone, and those that they need."""
    known = fields["services"]
    chosen: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in known:
            raise errors.NotFound(
                f'cannot show service "{name}": the file has none', hint=f"use one of {', '.join(sorted(known))}"
            )
        if name not in chosen:
            chosen.add(name)
            waiting += known[name].get("depends_on") or {}
    return {**fields, "services": {name: each for name, each in known.items() if name in chosen or not names}}
