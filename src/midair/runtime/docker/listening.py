"""Ports at which a container listens: those that others reach by its name, and those that only it can reach itself.

From the kernel's tables (`/proc/PID/net/tcp`), which need no rights; where the engine's machine is another one there is
nothing to be read, and nothing is said.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from midair.listeners import listeners
from midair.model.moment import Moment, Span

Key = tuple[str, str]  # a container, and when it was started

_RESOLVER = "0B00007F"  # 127.0.0.11: the engine's own, in every container of a network with names
# Seconds between two looks, by how long the replica has been ready: a look costs 3 ms in the kernel.
_PAUSES: tuple[tuple[Span, Span], ...] = ((1.0, 0.1), (5.0, 1.0), (30.0, 5.0))
_LAST_PAUSE_S = 60.0


class Listening(NamedTuple):
    """TCP ports of one network namespace."""

    open: tuple[int, ...] = ()  # at an address that others reach
    loopback: tuple[int, ...] = ()  # at loopback addresses and at no others


class Listeners:
    """What containers that are ready were last seen to listen on. What one of them opens later is seen by itself."""

    def __init__(self, clock: Callable[[], Moment], nudge: Callable[[], None]) -> None:
        self._clock, self._nudge = clock, nudge
        self._known: dict[Key, Listening] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def of(self, key: Key, pid: int, since: Moment) -> Listening:
        """What a container that has been ready `since` then listens on."""
        if key not in self._known:
            self._look(key, pid, since)
        return self._known[key]

    def forget(self, container: str) -> None:
        """It has ended, or is gone."""
        for key in [key for key in self._known if key[0] == container]:
            del self._known[key]
            self._timers.pop(key).cancel()

    def close(self) -> None:
        """Look no more."""
        for timer in self._timers.values():
            timer.cancel()

    def _look(self, key: Key, pid: int, since: Moment) -> None:
        before, self._known[key] = self._known.get(key), listening(pid)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(pause_s(self._clock() - since), self._look, key, pid, since)
        if before not in (None, self._known[key]):
            self._nudge()


def listening(pid: int) -> Listening:
    """The ports at which the network of a process is listened on."""
    own: set[int] = set()
    others: set[int] = set()
    for each in listeners(Path(f"/proc/{pid}/net")):
        if each.address != _RESOLVER:
            (own if is_loopback(each.address) else others).add(each.port)
    return Listening(tuple(sorted(others)), tuple(sorted(own - others)))


def pause_s(ready_for_s: Span) -> Span:
    """How long until the next look at a replica that has been ready for so long: what it opens late is seen late."""
    return next((pause for until, pause in _PAUSES if ready_for_s < until), _LAST_PAUSE_S)


def is_loopback(address: str) -> bool:
    """Whether an address as the kernel prints it is one of loopback: 0100007F is 127.0.0.1."""
    if len(address) == 8:
        return address.endswith("7F")
    return address == "0" * 24 + "01000000" or (address.startswith("0" * 16 + "FFFF0000") and address.endswith("7F"))
