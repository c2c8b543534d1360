"""Asks one replica how it is, again and again, as long as it is wanted. One question of a kind at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from midair.model.moment import Moment
from midair.runtime import health
from midair.runtime.process.command import Command
from midair.runtime.process.probe import Probe, probe_of
from midair.runtime.process.record import Record

Told = Callable[[health.Verdict, str], None]  # takes the verdict, and why
Look = Callable[[], Awaitable[tuple[int, ...]]]  # the TCP ports at which the replica listens
_LOOK_S = 1.0  # between two looks


class Checks:
    """The checks of one attempt. Goes on from what the record says, so an adopted replica does not start over."""

    def __init__(self, known: Record, clock: Callable[[], Moment], told: Told, look: Look) -> None:
        verdict: health.Verdict = known.state if known.state in ("ready", "unhealthy") else "starting"
        service = known.revision.service
        self._judges = list(health.judges_of(service, clock(), passed_at=known.ready_at, verdict=verdict))
        self._clock = clock
        self._told = told
        self._look = look
        self._has_port = any(port.protocol != "udp" for port in service.ports)
        self._looked_at = 0.0
        self._elsewhere: tuple[int, ...] = ()

    async def run(self, base: Command, values: dict[str, str], pid: int) -> None:
        """Ask until there is nothing left to find out. `base` says where commands run."""
        probes = [probe_of(judge.kind, judge.check, base, values, pid) for judge in self._judges]
        async with asyncio.TaskGroup() as group:
            for number, probe in enumerate(probes):
                group.create_task(self._ask(number, probe, int(values["PORT"])))

    async def _ask(self, number: int, probe: Probe, port: int) -> None:
        while health.wait_s(self._judges[number], self._clock()) is not None:
            try:
                text = await probe()
            except OSError as error:  # of this process: the next question may be possible again
                text = f"could not be asked: {error.strerror}"
            if text and self._judges[number].verdict == "starting":
                text += await self._where(port)
            now = self._clock()
            self._judges[number] = health.judged(self._judges[number], not text, text, now)
            self._told(*health.verdict_of(tuple(self._judges)))
            await asyncio.sleep(health.wait_s(self._judges[number], now) or 0)

    async def _where(self, port: int) -> str:
        """Where a replica that fails its check listens, if that is not at its own port."""
        if not self._has_port:
            return ""
        if self._clock() - self._looked_at >= _LOOK_S:
            self._looked_at = self._clock()
            ports = await self._look()
            self._elsewhere = ports if port not in ports else ()
        listed = " and ".join(map(str, self._elsewhere))
        return f": it listens on {listed}, not on $PORT" if listed else ""
