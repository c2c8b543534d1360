"""How the command line writes: results to stdout, everything else to stderr, colour only on a terminal.

`click.echo` takes colour away when the output is no terminal, so the text is the same everywhere.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import click

LABEL = 7  # columns of the first word of a line


def say(text: str = "") -> None:
    """A line of the result."""
    click.echo(text)


def note(text: str) -> None:
    """A line beside the result."""
    click.echo(text, err=True)


def fail(message: str, hint: str | None = None) -> None:
    """An error of one or several lines, and what to do about it."""
    for line in message.splitlines() or [""]:
        click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)
    if hint:
        click.echo(f"{click.style('hint:', fg='cyan')} {hint}", err=True)


def json_line(value: Any) -> None:
    """One value as a line of JSON."""
    import msgspec

    click.echo(msgspec.json.encode(value).decode())


def left(change: int, *, as_json: bool) -> None:
    """A change was accepted and goes on alone."""
    if as_json:
        json_line({"type": "accepted", "id": change})
    else:
        say(line("change", f"{change} goes on; see it with midair watch, take it back with midair undo"))


def label_width(names: Iterable[str]) -> int:
    """Columns that labels need when these names are among them."""
    return max([LABEL, *(len(name) + 1 for name in names)])


def line(label: str, text: str, since: float | None = None, *, colour: str | None = None, width: int = LABEL) -> str:
    """`label  text                    since`, aligned as far as it fits."""
    label = f"{label:<{max(width, len(label) + 1)}}"
    head = click.style(label, fg=colour, bold=True) if colour else label
    if since is None:
        return f"{head}{text}"
    return f"{head}{text:<60} {since:>6.1f}s"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> list[str]:
    """Aligned columns under a header. Columns named in `right` are aligned to the right."""
    lines = [list(headers), *(list(row) for row in rows)]
    widths = [max(len(click.unstyle(cells[column])) for cells in lines) for column in range(len(headers))]
    made = []
    for number, cells in enumerate(lines):
        padded = []
        for header, cell, width in zip(headers, cells, widths, strict=True):
            gap = " " * (width - len(click.unstyle(cell)))
            padded.append(gap + cell if header in right else cell + gap)
        text = "  ".join(padded).rstrip()
        made.append(click.style(text, bold=True) if number == 0 else text)
    return made


def count(number: int, noun: str, plural: str | None = None) -> str:
    """1 service, 2 services, 18,204 requests."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def colour_of(state: str) -> str | None:
    """The colour of a replica's state or a phase."""
    return {
        "serving": "green", "completed": "green", "ready": "cyan", "starting": "yellow", "pending": "yellow",
        "progressing": "yellow", "baking": "yellow", "promoting": "yellow", "draining": "blue", "stopping": "blue",
        "failed": "red", "unhealthy": "red", "crashing": "red", "rolling_back": "red", "rolled_back": "red",
        "stuck": "red", "paused": "magenta",
    }.get(state)  # fmt: skip


def paint(state: str) -> str:
    """A state or phase as a coloured word."""
    return click.style(state.replace("_", " "), fg=colour_of(state))
