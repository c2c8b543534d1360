"""Asks one replica how it is, again and again, as long as it is wanted. One question of a kind at a time."""

import asyncio
from collections.abc import Callable

from midair.model.moment import Moment
from midair.runtime import health
from midair.runtime.process.command import Command
from midair.runtime.process.probe import Probe, probe_of
from midair.runtime.process.record import Record

Told = Callable[[health.Verdict, str], None]  # takes the verdict, and why


class Checks:
    """The checks of one attempt. Goes on from what the record says, so an adopted replica does not start over."""

    def __init__(self, known: Record, clock: Callable[[], Moment], told: Told) -> None:
        verdict: health.Verdict = known.state if known.state in ("ready", "unhealthy") else "starting"
        service = known.revision.service
        self._judges = list(health.judges_of(service, clock(), passed_at=known.ready_at, verdict=verdict))
        self._clock = clock
        self._told = told

    async def run(self, base: Command, values: dict[str, str], pid: int) -> None:
        """Ask until there is nothing left to find out. `base` says where commands run."""
        probes = [probe_of(judge.kind, judge.check, base, values, pid) for judge in self._judges]
        async with asyncio.TaskGroup() as group:
            for number, probe in enumerate(probes):
                group.create_task(self._ask(number, probe))

    async def _ask(self, number: int, probe: Probe) -> None:
        while health.wait_s(self._judges[number], self._clock()) is not None:
            try:
                text = await probe()
            except OSError as error:  # of this process: the next question may be possible again
                text = f"could not be asked: {error.strerror}"
            now = self._clock()
            self._judges[number] = health.judged(self._judges[number], not text, text, now)
            self._told(*health.verdict_of(tuple(self._judges)))
            await asyncio.sleep(health.wait_s(self._judges[number], now) or 0)
