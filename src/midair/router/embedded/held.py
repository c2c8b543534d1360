"""A router's listening sockets, which the control plane holds as well: while no router runs, connections wait in them.

A socket that is held and that no router accepts from would let clients wait for ever. So a port is let go of before the
router is told to leave it, and all of them when no router could be started for a while.
"""

import os
import socket
from collections.abc import Iterable

import msgspec

from midair.model.project import Port
from midair.router.embedded.wire import Wire

Place = tuple[str, int]  # host and port


class Listening(msgspec.Struct, frozen=True):
    """One listener of a router; its sockets come with it."""

    service: str
    port: Port


class Kept(msgspec.Struct, frozen=True):
    """The sockets of one port, by their descriptors."""

    place: Place
    descriptors: tuple[int, ...]


class Heritage(msgspec.Struct, frozen=True):
    """What the control plane tells the router after one that died, on its command line."""

    died_at: float | None = None  # on the monotonic clock; None: nobody saw it
    kept: tuple[Kept, ...] = ()

    def sockets(self) -> dict[Place, list[socket.socket]]:
        """In the new process: what it inherited."""
        return {one.place: [socket.socket(fileno=each) for each in map(_own, one.descriptors)] for one in self.kept}


class Held:
    """The sockets of one router, in the control plane."""

    def __init__(self) -> None:
        self._held: dict[Place, tuple[str, tuple[int, ...]]] = {}  # service and descriptors

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All of them."""
        return tuple(each for _, descriptors in self._held.values() for each in descriptors)

    def heritage(self, died_at: float | None) -> Heritage:
        """For a router that is to go on with them."""
        return Heritage(died_at, tuple(Kept(place, descriptors) for place, (_, descriptors) in self._held.items()))

    def is_other(self, service: str, ports: tuple[Port, ...]) -> bool:
        """Whether a service listens on other ports than these, as far as is known here."""
        return self._of(service) != {port.place for port in ports if not port.front}

    def leave(self, service: str, ports: tuple[Port, ...]) -> None:
        """Let go of the ports of a service that are none of these."""
        for place in self._of(service) - {port.place for port in ports}:
            _close(self._held.pop(place)[1])

    async def take(self, wire: Wire) -> None:
        """Hold exactly what the router listens on now. Raises RouterTrouble."""
        fresh: dict[Place, tuple[str, tuple[int, ...]]] = {}
        try:
            for number in range(await wire.ask("listeners", None, int)):
                listening, descriptors = await wire.ask_for_descriptors("listener", number, Listening)
                fresh[listening.port.place] = listening.service, tuple(map(_own, descriptors))
        except BaseException:
            _close(each for _, descriptors in fresh.values() for each in descriptors)
            raise
        self.close()
        self._held = fresh

    def close(self) -> None:
        """Let go of all of them."""
        _close(self.descriptors)
        self._held = {}

    def _of(self, service: str) -> set[Place]:
        return {place for place, (owner, _) in self._held.items() if owner == service}


def _own(descriptor: int) -> int:
    """Keep a descriptor from processes that are started from here."""
    os.set_inheritable(descriptor, False)
    return descriptor


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
