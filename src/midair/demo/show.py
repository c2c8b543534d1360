"""How the demo is shown: a line for each thing in a pipe, a live panel on a terminal (which loads rich)."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from midair.cli import out
from midair.demo.chapters import Chapter
from midair.demo.load import NAMES, Users
from midair.demo.outcome import Outcome
from midair.view.status import ProjectView

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

BESIDE_CHAPTERS = 16  # lines of the panel that are not chapters
WIDE = 110  # columns that it takes to say what is done in each chapter


class Show(Protocol):
    """Takes what happens, in order."""

    def begin(self, chapter: Chapter) -> None:
        """A chapter begins."""

    def end(self, outcome: Outcome) -> None:
        """It has ended."""

    def tick(self, seen: ProjectView | None, users: Sequence[Users]) -> None:
        """The state of things, a few times a second."""

    def close(self) -> None:
        """The curtain."""


class Plain:
    """Lines."""

    def begin(self, chapter: Chapter) -> None:
        out.say(f"{chapter.title}: {chapter.text}")

    def end(self, outcome: Outcome) -> None:
        counts = f"{out.count(outcome.tally.accepted, 'request')} accepted, {outcome.tally.lost:,} lost"
        out.say(f"    {outcome.how} in {outcome.seconds:.1f}s, {counts}" + (f" ({outcome.reason})" * (not outcome.ok)))

    def tick(self, seen: ProjectView | None, users: Sequence[Users]) -> None:
        pass

    def close(self) -> None:
        pass


class Panel:
    """A terminal: chapters, replicas and counters, redrawn in place."""

    def __init__(self, chapters: Sequence[Chapter]) -> None:
        from rich.console import Console
        from rich.live import Live

        self._chapters = chapters
        self._done: list[Outcome] = []
        self._began = self._chapter_began = time.monotonic()
        self._rate = _Rate()
        self._seen: ProjectView | None = None
        self._live = Live(console=Console(highlight=False), auto_refresh=False, transient=True)
        self._live.start()

    def begin(self, chapter: Chapter) -> None:
        self._chapter_began = time.monotonic()

    def end(self, outcome: Outcome) -> None:
        self._done.append(outcome)

    def tick(self, seen: ProjectView | None, users: Sequence[Users]) -> None:
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        parts = [self._head(), Text(), self._story(), Text(), self._replicas(seen), Text(), self._counters(users)]
        self._live.update(Padding(Group(*parts), (1, 2)), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _head(self) -> "Text":
        from rich.text import Text

        seconds = int(time.monotonic() - self._began)
        title = Text("midair demo", style="bold").append(f"   {seconds // 60}:{seconds % 60:02d}", style="dim")
        return title.append("   a web shop, changed in every way while people use it", style="dim")

    def _story(self) -> "Table":
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        wide = self._live.console.width >= WIDE
        first, last = window(len(self._chapters), len(self._done), self._live.console.height - BESIDE_CHAPTERS)
        for number, chapter in list(enumerate(self._chapters))[first:last]:
            if number < len(self._done):
                done = self._done[number]
                sign = Text("✓", style="green") if done.ok and not done.tally.lost else Text("✗", style="red")
                lost = Text(f"{done.tally.lost} lost", style="bold red" if done.tally.lost else "green")
                count = Text(f"{done.tally.accepted:>7,} accepted", style="dim")
                text = Text(chapter.text if wide else "", style="dim")
                grid.add_row(sign, chapter.title, text, f"{done.seconds:.1f}s", count, lost)
            elif number == len(self._done):
                took = f"{time.monotonic() - self._chapter_began:.1f}s"
                text = Text(chapter.text if wide else "")
                grid.add_row("▸", Text(chapter.title, style="bold yellow"), text, took, "", "")
            else:
                grid.add_row("·", Text(chapter.title, style="dim"), "", "", "", "")
        return grid

    def _replicas(self, seen: ProjectView | None) -> "Group | Text":
        """What was seen last stays while nobody can say more."""
        from rich.console import Group
        from rich.text import Text

        from midair.cli.live import panel, remembered

        away = Text("the control plane is away; requests go on", style="yellow")
        if seen is not None:
            self._seen = remembered(seen, self._seen)
        if self._seen is None:
            return away
        return panel(self._seen) if seen is not None else Group(panel(self._seen), away)

    def _counters(self, users: Sequence[Users]) -> "Group":
        from rich.console import Group
        from rich.text import Text

        answered = sum(each.answered.total() for each in users)
        lost = sum(each.lost.total() for each in users)
        kinds = " · ".join(f"{name} {sum(each.answered[kind] for each in users):,}" for kind, name in NAMES.items())
        total = Text(f"{answered:,} answered", style="bold").append("   ")
        total.append(f"{lost:,} lost", style="bold red" if lost else "bold green")
        total.append(f"   {self._rate.of(answered):,.0f} a second", style="dim")
        return Group(Text("what the users see", style="dim"), total, Text(kinds, style="dim"))


def window(count: int, current: int, room: int) -> tuple[int, int]:
    """Which of `count` lines to show, from and to, so that the current one is seen and what was done before it."""
    room = max(room, 3)
    first = min(max(current + 2 - room, 0), max(count - room, 0))
    return first, first + room


class _Rate:
    """Answers a second over the last two seconds."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, int]] = []

    def of(self, total: int) -> float:
        now = time.monotonic()
        self._marks = [mark for mark in self._marks if now - mark[0] < 2] + [(now, total)]
        since, before = self._marks[0]
        return (total - before) / (now - since) if now > since else 0.0
