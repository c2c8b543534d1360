"""Simulated fronts: they come late, die, are paused by hand, and come back at another address. Knows no rollouts.

While the front of a service does not run, new routes of the service stay on their way, as a router waits for the
rules; what callers send meanwhile waits.
"""

from collections.abc import Callable

from midair.model.action import FrontAction, MakeFront
from midair.model.moment import Moment
from midair.model.seen import FrontSeen
from midair.testing.choose import Chooser

FOREVER = float("inf")
LATE_S = (0.2, 0.0, 3.0, 20.0)


class FrontBody:
    """One front as it really is."""

    def __init__(self) -> None:
        self.runs = False
        self.fit = True  # its address is the one that was asked for
        self.due = FOREVER  # when it runs


class Fronts:
    """By service, those that exist."""

    def __init__(self, chooser: Chooser) -> None:
        self.chooser = chooser
        self.bodies: dict[str, FrontBody] = {}
        self.on_remove: Callable[[str], None] = lambda service: None

    def seen(self, service: str) -> FrontSeen | None:
        """What the runtime says."""
        body = self.bodies.get(service)
        return None if body is None else FrontSeen(service, body.runs and body.fit)

    def runs(self, service: str) -> bool:
        """Whether its rules can be changed now."""
        body = self.bodies.get(service)
        return body is not None and body.runs

    def perform(self, service: str, action: FrontAction, now: Moment) -> bool:
        """Begin to make it, or remove it; False: it is being made already."""
        if not isinstance(action, MakeFront):
            self.on_remove(service)
            self.bodies.pop(service, None)
            return True
        body = self.bodies.setdefault(service, FrontBody())
        if not body.fit:
            body = self.bodies[service] = FrontBody()
        if body.runs or body.due < FOREVER:
            return False
        body.due = now + (LATE_S[self.chooser.pick(4, "how late")] if self.chooser.fault("a front is late") else 0.05)
        return True

    def hurt(self, service: str) -> str:
        """It dies and is removed, it is paused, or it comes back at another address. Says which."""
        body = self.bodies[service]
        what = self.chooser.pick(3, "what becomes of the front")
        if what == 0:
            del self.bodies[service]
        elif what == 1:
            body.runs, body.due = False, FOREVER
        else:
            body.fit = False
        return ("is removed", "is paused", "comes back at another address")[what]

    def move(self, now: Moment) -> None:
        """Let those run whose time has come."""
        for body in self.bodies.values():
            if body.due <= now:
                body.runs, body.due = True, FOREVER

    def due(self) -> Moment:
        """When the next one runs."""
        return min((body.due for body in self.bodies.values()), default=FOREVER)
