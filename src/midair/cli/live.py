"""Progress on a terminal: events scroll by above a panel that shows every replica as it is now. Loads rich."""

import time

from msgspec.structs import replace
from rich.console import Console, Group
from rich.live import Live as RichLive
from rich.table import Table
from rich.text import Text

from midair import errors
from midair.cli import out, story
from midair.client import Client
from midair.view.event import EventView
from midair.view.status import ProjectView, RevisionView, ServiceView
from midair.view.uncounted import counted_text

SIGNS = {
    "serving": "●", "ready": "◕", "starting": "◔", "pending": "○", "draining": "◑", "stopping": "◌",
    "unhealthy": "✗", "failed": "✗", "crashing": "✗", "completed": "✓", "stopped": "·",
}  # fmt: skip
LOOK_S = 0.3
WHY_MAX = 6  # replicas whose trouble is shown


class Live:
    """Lines above, state below. `only`: services to show; none: all."""

    def __init__(self, client: Client, project: str, began: float, *, only: tuple[str, ...] = ()) -> None:
        self._client, self._project, self._began, self._only = client, project, began, only
        self._width = out.label_width(only)
        self._console = Console(highlight=False)
        self._live = RichLive(console=self._console, refresh_per_second=8, transient=True)
        self._live.start()
        self._looked = 0.0
        self._seen: ProjectView | None = None
        self.tick()

    def event(self, event: EventView) -> None:
        """Print the line of an event, and look at the state soon."""
        text = story.tell(event, self._began, width=self._width)
        if text is not None:
            self._console.print(Text.from_ansi(text))
        self.tick()

    def tick(self) -> None:
        """Show the state as it is now, if the last look was long enough ago."""
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        try:
            project = self._seen = remembered(self._client.status(self._project), self._seen)
            self._width = out.label_width(self._only or [service.name for service in project.services])
            self._live.update(panel(project, self._only))
        except errors.MidairError:
            away = Text("the control plane is away; replicas and router go on", style="yellow")
            self._live.update(away if self._seen is None else Group(panel(self._seen, self._only), away))

    def close(self) -> None:
        """Take the panel away; the lines stay."""
        self._live.stop()


def remembered(now: ProjectView, before: ProjectView | None) -> ProjectView:
    """What is to be shown now: while the router is not reached, with the counts that it told last."""
    return now if before is None or now.router is not None else replace(now, counts=before.counts)


def panel(project: ProjectView, only: tuple[str, ...] = ()) -> Group:
    """Services with their replicas, and the counts."""
    grid = Table.grid(padding=(0, 2))
    for service in project.services:
        if not only or service.name in only:
            grid.add_row(Text(service.name, style="bold"), _phase(service), _replicas(service), _held(service))
    why = [Text(f"{name} {text}", style="yellow") for name, text in story.waiting(project) if not only or name in only]
    counts = project.counts
    text = Text(counted_text(counts, project.uncounted), style="dim")
    text.highlight_words([f"{counts.lost:,} lost"], style="bold red" if counts.lost else "bold green")
    return Group(Text(""), grid, *why[:WHY_MAX], text)


def _phase(service: ServiceView) -> Text:
    return Text(service.phase.replace("_", " "), style=out.colour_of(service.phase) or "")


def _replicas(service: ServiceView) -> Text:
    text = Text()
    for revision in service.revisions:
        text.append(_dots(revision, routed=bool(service.ports))).append(
            f" {revision.id} ", style="dim" if revision.role == "old" else ""
        )
        text.append(f"{revision.share:.0f} %   " if service.ports else "  ", style="dim")
    return text if service.revisions else Text("no replicas", style="dim")


def _dots(revision: RevisionView, *, routed: bool) -> Text:
    dots = Text()
    for replica in revision.replicas:
        state = "serving" if replica.state == "ready" and not routed else replica.state
        dots.append(SIGNS.get(state, "?"), style=out.colour_of(state) or "dim")
    return dots


def _held(service: ServiceView) -> Text:
    return Text(f"{service.held} held", style="magenta") if service.hold else Text("")
