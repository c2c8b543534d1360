"""`midair history`: the changes of a project."""

import click

from midair.cli import out, when
from midair.cli.session import Session, file_options, json_option, pass_session
from midair.model.moment import format_span
from midair.view.change import ChangeView


@click.command(short_help="Changes: what, when, how long, what it cost")
@file_options
@click.option(
    "-n", "--last", type=click.IntRange(min=0), default=20, show_default=True, metavar="COUNT", help="Only the newest."
)
@json_option
@pass_session
def command(session: Session, last: int, as_json: bool) -> None:
    """List changes, the newest first: what, when, how long, and what it cost.

    \b
    Examples:
      midair history
      midair undo 12                # to the state before change 12
    """
    client = session.client()
    known = client.history(session.project(client))
    changes = known[:last]
    if as_json:
        out.json_line(changes)
        return
    if not known:
        out.note("no changes yet; begin with midair up")
        return
    headers = ("CHANGE", "KIND", "PHASE", "WHEN", "TOOK", "ACCEPTED", "LOST", "BY", "WHAT")
    for line in out.table(headers, map(_row, changes), right=("CHANGE", "TOOK", "ACCEPTED", "LOST")):
        out.say(line)


def _row(change: ChangeView) -> tuple[str, ...]:
    ended = change.ended_at is not None
    lost = click.style(f"{change.tally.lost:,}", fg="red") if change.tally.lost else "0"
    return (
        str(change.id),
        change.kind,
        out.paint(change.phase),
        when.stamp(change.created_at),
        format_span((change.ended_at or 0) - change.created_at) if ended else "",
        f"{change.tally.accepted:,}" if ended else "",
        ("–" if change.uncounted and not change.tally.accepted else lost) if ended else "",
        change.by,
        "; ".join((_what(change), *change.warnings)),
    )


def _what(change: ChangeView) -> str:
    undone = f" (undoes {change.undoes})" if change.undoes else ""
    commit = f" [{change.commit}]" if change.commit else ""
    return change.summary + undone + commit + (f" · {change.why}" if change.why else "")
