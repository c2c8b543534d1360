"""`midair counts`: requests as the router counted them."""

import click

from midair import errors
from midair.cli import complete, out
from midair.cli.session import Session, file_options, json_option, pass_session
from midair.view.counts import CountView

_STATUSES = ("2xx", "3xx", "4xx", "5xx")
_COUNTERS = ("accepted", "lost", "aborted", "refused", "repeated")
_NUMBERS = tuple(name.upper() for name in (*_COUNTERS, *_STATUSES, "p50", "p99"))


@click.command(short_help="Requests by revision: answers, losses, latency")
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=complete.services)
@click.option("--replicas", is_flag=True, help="A line for each replica that is there.")
@file_options
@json_option
@pass_session
def command(session: Session, services: tuple[str, ...], replicas: bool, as_json: bool) -> None:
    """Show requests as the router has counted them: accepted = answered + refused + aborted + lost + open.

    P50 and P99 are the time until an answer begins, without the time in a hold. Counts go on when midair is upgraded
    or killed.

    \b
    Examples:
      midair counts
      midair counts web --replicas
      midair counts --json          # every counter, and the time until the end of answers
    """
    client = session.client()
    counts = client.counts(session.project(client))
    views = counts.replicas if replicas else counts.services
    known = {view.service for view in counts.services}
    for name in services:
        if name not in known:
            raise errors.NotFound(
                f'cannot show the counts of "{name}": no request for it was counted in project "{counts.project}"',
                hint=f"use one of {', '.join(sorted(known))}" if known else "send it a request through its port",
            )
    views = tuple(view for view in views if any(view.counters.values()) and view.service in (services or known))
    if as_json:
        out.json_line(views)
        return
    if not views:
        out.note("nothing was counted yet")
        return
    name = "REPLICA" if replicas else "REVISION"
    rows = [_row(view) for view in views]
    for line in out.table(("SERVICE", name, *_NUMBERS), rows, right=_NUMBERS):
        out.say(line)


def _row(view: CountView) -> tuple[str, ...]:
    numbers = {name: f"{view.counters[name]:,}" for name in _COUNTERS}
    statuses = {name: f"{view.counters[f'status_{name}']:,}" for name in _STATUSES}
    for red in ("lost", "5xx"):
        column = numbers if red in numbers else statuses
        if column[red] != "0":
            column[red] = click.style(column[red], fg="red")
    head = view.latency["head"]
    which = view.replica.partition("/")[2] or view.revision or "none"
    return view.service, which, *numbers.values(), *statuses.values(), _time(head.p50_s), _time(head.p99_s)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
