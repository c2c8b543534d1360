"""Stays with a change until it has ended: shows its progress, says how it went, and chooses the exit code."""

import sys
import time
from collections.abc import Iterable
from typing import Protocol

from midair import errors
from midair.cli import out, story
from midair.cli.feed import Feed
from midair.client import Client
from midair.view.change import ChangeView
from midair.view.event import EventView
from midair.view.uncounted import counted_text

TICK_S = 0.4
SILENCE_S = 5.0  # after which people want to know what it waits for
LAST_LINES = 10
EXIT_BY_PHASE = {"completed": 0, "rolled_back": 3}


class Screen(Protocol):
    """Where the progress is shown."""

    def event(self, event: EventView) -> None:
        """Something happened."""

    def tick(self) -> None:
        """A moment has passed."""

    def close(self) -> None:
        """Nothing more will be shown."""


class Lines:
    """A line for each event: the same text in a pipe as in a log. After a silence, what is waited for."""

    def __init__(
        self, client: Client, project: str, began: float, *, services: Iterable[str] = (), all_of_it: bool = False
    ) -> None:
        self._client, self._project = client, project
        self._began, self._all_of_it, self._width = began, all_of_it, out.label_width(services)
        self._said_at = time.monotonic()
        self._said: set[str] = set()

    def event(self, event: EventView) -> None:
        self._said.add(story.what(event))
        text = story.tell(event, self._began, all_of_it=self._all_of_it, width=self._width)
        if text is not None:
            self._say(text)

    def tick(self) -> None:
        if time.monotonic() - self._said_at < SILENCE_S:
            return
        self._said_at = time.monotonic()
        try:
            project = self._client.status(self._project)
        except errors.MidairError:
            return  # it is on its way back
        for service, text in story.waiting(project):
            if text not in self._said:
                self._said.add(text)
                self._say(out.line(service, text, project.now - self._began, colour="yellow", width=self._width))

    def _say(self, text: str) -> None:
        self._said_at = time.monotonic()
        out.say(text)
        sys.stdout.flush()

    def close(self) -> None:
        pass


class JsonLines:
    """An event a line, as JSON."""

    def event(self, event: EventView) -> None:
        out.json_line({"type": "event", "event": event})
        sys.stdout.flush()

    def tick(self) -> None:
        pass

    def close(self) -> None:
        pass


def follow(client: Client, change: ChangeView, *, as_json: bool, timeout: float | None = None) -> int:
    """Show the change until it has ended, say how it went, and return the exit code."""
    screen = _screen(client, change, as_json=as_json)
    failed = _Failed()
    try:
        ended = _until_ended(client, change, screen, failed, timeout)
    except KeyboardInterrupt:
        screen.close()
        out.note(f"left change {change.id}, which goes on without you")
        out.note("hint: see it again with midair watch, take it back with midair undo")
        return 130
    finally:
        screen.close()
    if as_json:
        out.json_line({"type": "change", "change": ended})
    else:
        _verdict(client, ended, failed)
    return EXIT_BY_PHASE.get(ended.phase, 1)


def see_to(
    client: Client, change: ChangeView, *, detach: bool, as_json: bool, timeout: float | None, nothing: str = ""
) -> int:
    """Leave the change alone or follow it. One that has ended led there before: there is nothing to do."""
    if change.has_ended:
        if as_json:
            out.json_line({"type": "nothing", "change": change})
        elif nothing:
            out.say(f"nothing to do: {nothing}")
        return 0
    if detach:
        out.left(change.id, as_json=as_json)
        return 0
    return follow(client, change, as_json=as_json, timeout=timeout)


def stay(client: Client, project: str, *, detach: bool, as_json: bool, timeout: float | None) -> int:
    """The plan was empty: what was asked for before is stayed with until it is there."""
    change = client.status(project).change
    if change is None:
        return 0
    if not (detach or as_json or change.has_ended):
        out.say(f"change {change.id} is on its way there:")
    return see_to(client, change, detach=detach, as_json=as_json, timeout=timeout)


class _Failed:
    """Remembers the replica that failed last, for its log."""

    replica = ""

    def look(self, event: EventView) -> None:
        if event.kind == "replica-failed":
            self.replica = event.replica


def _screen(client: Client, change: ChangeView, *, as_json: bool) -> Screen:
    if as_json:
        return JsonLines()
    if sys.stdout.isatty():
        from midair.cli.live import Live

        return Live(client, change.project, change.created_at, only=change.services)
    return Lines(client, change.project, change.created_at, services=change.services)


def _until_ended(
    client: Client, change: ChangeView, screen: Screen, failed: _Failed, timeout: float | None
) -> ChangeView:
    feed = Feed(client, change.project, change.first_event - 1)
    deadline = time.monotonic() + timeout if timeout is not None else float("inf")
    while True:
        event = feed.next(min(TICK_S, deadline - time.monotonic()))
        if event is None:
            screen.tick()
            if time.monotonic() >= deadline:
                raise errors.Trouble(
                    f"cannot see the end of change {change.id}: it goes on after {timeout:g} s",
                    hint="see it again with midair watch, take it back with midair undo",
                )
        elif event.change == change.id:
            failed.look(event)
            screen.event(event)
            if event.kind == "change-ended":
                found = client.change(change.project, change.id)
                if found.has_ended or found.is_stuck:
                    return found


def _verdict(client: Client, change: ChangeView, failed: _Failed) -> None:
    """The last lines: what it was, how long it took, what it cost."""
    services = out.count(len(change.services), "service")
    took = (change.ended_at or client.status(change.project).now) - change.created_at
    counts = counted_text(change.tally, change.uncounted, change.cut, change.failures)
    if change.phase == "completed":
        out.say(out.line("done", f"{services} in {took:.1f}s, {counts}", colour=_colour(change)))
        _warnings(change)
        return
    how = change.phase.replace("_", " ")
    label = "back" if change.phase == "rolled_back" else "ended"
    out.say(out.line(label, f"{services} {how} after {took:.1f}s, {counts}", colour="yellow"))
    _warnings(change)
    hint = {
        "rolled_back": "fix it and run midair up again; nothing else is needed",
        "stuck": "fix what it waits for, or run midair up with a file that works; midair tries on meanwhile",
        "superseded": "see the change that came after it with midair history",
    }.get(change.phase)
    if failed.replica:
        _last_words(client, change.project, failed.replica)
    reason = change.reason
    if change.waits_for:
        back = f" (it rolls back because of {reason})" if reason else ""
        reason = f"{change.waits_for}{back}"
    out.fail(f"change {change.id} {how}" + (f": {reason}" if reason else ""), hint)


def _colour(change: ChangeView) -> str:
    return "red" if change.tally.lost else "yellow" if change.cut else "green"


def _warnings(change: ChangeView) -> None:
    for text in change.warnings:
        out.say(out.line("warning", text, colour="yellow"))


def _last_words(client: Client, project: str, replica: str) -> None:
    """What the failing replica printed last."""
    try:
        lines = list(client.logs(project, replica.split("/")[0], replica=replica, tail=LAST_LINES))
    except errors.MidairError:
        return
    if lines:
        out.note(f"last words of {replica}:")
    for line in lines:
        out.note(f"    {line.text}")
