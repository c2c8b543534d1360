"""`midair doctor`: can midair work on this machine?"""

import click

from midair.cli import machine, out
from midair.cli.session import Session, file_options, json_option, pass_session


@click.command(short_help="Check whether midair can work on this machine")
@file_options
@json_option
@pass_session
def command(session: Session, as_json: bool) -> int:
    """Check whether midair can work here, and say what to do if it cannot.

    With a Compose file here, its ports and commands are looked at too. Nothing is changed.
    """
    found = machine.examine(session)
    if as_json:
        out.json_line(found)
    else:
        for check in found:
            sign = click.style("ok ", fg="green") if check.ok else click.style("bad", fg="red", bold=True)
            out.say(f"{sign}  {check.name:<12}  {check.text}")
            if check.hint and not check.ok:
                out.say(f"     {'':<12}  {click.style('hint:', fg='cyan')} {check.hint}")
    return 0 if all(check.ok for check in found) else 1
