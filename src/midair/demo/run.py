"""Plays the demo: users, chapters, counts, verdict, and a clean stage afterwards."""

import asyncio
import signal
import sys
import time
from pathlib import Path

import click

from midair import errors
from midair.cli import out
from midair.demo.chapters import CHAPTERS, Chapter
from midair.demo.load import Users
from midair.demo.outcome import Outcome, how, table
from midair.demo.show import Panel, Plain, Show
from midair.demo.stage import Left, Stage
from midair.model.seen import Tally

TICK_S = 0.25
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AUDIENCE = (  # users of web, api and ledger
    {"get": 3, "new": 1, "post": 1, "slow": 2, "stream": 1, "ws": 3},
    {"get": 1, "post": 1, "ws": 1},
    {"get": 1, "new": 1},
)


def run(*, keep: bool = False) -> int:
    """Play it: the exit code."""
    stage = Stage()
    show: Show = Panel(CHAPTERS) if sys.stdout.isatty() else Plain()
    demo = _Demo(stage, show)
    try:
        asyncio.run(demo.play())
    except (Left, asyncio.CancelledError):
        raise KeyboardInterrupt from None
    finally:
        for number in ENDINGS:  # a second Ctrl-C must not leave anything behind
            signal.signal(number, signal.SIG_IGN)
        show.close()
        if not keep:
            stage.close()
    code = demo.verdict()
    if keep:
        out.say()
        for line in what_stays(stage.folder, stage.home):
            out.say(line)
    return code


def what_stays(folder: Path, home: Path) -> tuple[str, ...]:
    """How to play with what was kept, and how to end it."""
    return (
        f"still running; go there   cd {folder} && export MIDAIR_HOME={home}",
        "change something          edit web/app.py, then midair plan, midair up, midair undo",
        f"end it                    midair down && midair daemon stop && rm -r {folder}",
    )


class _Demo:
    """One performance."""

    def __init__(self, stage: Stage, show: Show) -> None:
        self.stage, self.show = stage, show
        self.users = [Users(port) for port in stage.ports]
        self.outcomes: list[Outcome] = []
        self.counted = Tally()
        self._working: list[asyncio.Task[None]] = []
        self._began = time.monotonic()

    async def play(self) -> None:
        """All chapters, then the users leave."""
        this, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert this is not None
        for number in ENDINGS:
            loop.add_signal_handler(number, this.cancel)
        ticker = asyncio.create_task(self._tick())
        try:
            for chapter in CHAPTERS:
                self.show.begin(chapter)
                self.outcomes.append(await asyncio.to_thread(self._chapter, chapter))
                self.show.end(self.outcomes[-1])
                if not self._working:
                    self._let_users_in()
                await asyncio.sleep(0.3)
            await self._users_leave()
            self.counted = (await asyncio.to_thread(self.stage.client.counts, "demo")).total
        finally:
            self.stage.leave()
            for task in (ticker, *self._working):
                task.cancel()

    def verdict(self) -> int:
        """The table, the count, and the exit code."""
        for line in table(self.outcomes):
            out.say(line)
        answered = sum(each.answered.total() for each in self.users) + self.stage.asked
        lost = sum(each.lost.total() for each in self.users)
        out.say()
        polite = sum(each.closed_politely for each in self.users)
        slowest = max(each.slowest_s for each in self.users)
        said = f"{out.count(answered, 'answer')}, {lost:,} lost; {polite} WebSockets closed politely"
        out.say(f"users    {said}")
        out.say(f"pages    the slowest took {slowest:.2f}s")
        out.say(f"router   {out.count(self.counted.accepted, 'request')} accepted, {self.counted.lost:,} lost")
        for users in self.users:
            if users.first_loss:
                out.fail(f"lost by a user of port {users.port}: {users.first_loss}")
        bad = [each for each in self.outcomes if not each.ok]
        for each in bad:
            out.fail(f"{each.title}: {each.reason}")
        took = time.monotonic() - self._began
        if lost or self.counted.lost or bad:
            out.say(click.style(f"not good: {lost:,} lost, {out.count(len(bad), 'change')} ended wrongly", fg="red"))
            return 1
        changes = out.count(len(self.outcomes), "change")
        out.say(click.style(f"{changes} in {took:.0f}s, {answered:,} requests, none lost", fg="green", bold=True))
        return 0

    def _chapter(self, chapter: Chapter) -> Outcome:
        began, before = time.monotonic(), self._counts()
        try:
            change = chapter.play(self.stage)
        except errors.MidairError as error:
            return Outcome(chapter.title, "failed", time.monotonic() - began, Tally(), ok=False, reason=error.message)
        took = time.monotonic() - began
        if change is None:
            return Outcome(chapter.title, "sockets passed on", took, self._counts().minus(before), ok=True)
        ok = change.phase == chapter.ends
        reason = "" if ok else f"{change.phase} {change.reason}"
        return Outcome(chapter.title, how(self.stage.plan, ends=chapter.ends), took, change.tally, ok=ok, reason=reason)

    def _counts(self) -> Tally:
        try:
            return self.stage.client.counts("demo").total
        except errors.MidairError:
            return Tally()  # before the first start

    def _let_users_in(self) -> None:
        for users, kinds in zip(self.users, AUDIENCE, strict=True):
            for kind, count in kinds.items():
                self._working += [asyncio.create_task(users.run(kind)) for _ in range(count)]

    async def _users_leave(self) -> None:
        for users in self.users:
            users.leaving = True
        await asyncio.wait(self._working)

    async def _tick(self) -> None:
        while True:
            seen = await asyncio.to_thread(self.stage.look)
            self.show.tick(seen, self.users)
            await asyncio.sleep(TICK_S)
