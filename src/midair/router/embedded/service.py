"""One service: the routes in force, the replicas that drain, and the requests that wait for a replica."""

import asyncio
from typing import Protocol

from midair.model.action import SetRoutes
from midair.model.ids import ReplicaId
from midair.model.seen import RouteSeen
from midair.router.embedded.ending import ends_of
from midair.router.embedded.forwarding import Trust
from midair.router.embedded.hub import Hub
from midair.router.embedded.replica import Replica
from midair.router.embedded.table import Table

_RETRY_S = 0.1


class Waiter(Protocol):
    """A request, or a TCP connection, that no replica has taken yet."""

    waits_since: float  # on the loop's clock; 0: it has not waited yet
    wait_until: float

    def dispatch(self) -> None:
        """Try again."""

    def leave_queue(self) -> None:
        """It waits no longer."""

    def give_up(self, reason: str, *, refused: bool) -> None:
        """It has waited for too long, or there is nothing to wait for."""


class Service:
    """Made when its first routes are asked for."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.hub = hub
        self.name = name
        self.action = SetRoutes(service=name, generation=0)
        self.in_force = self.action  # the same, once the service's front has it too
        self.left: dict[ReplicaId, str] = {}  # address of each that its front may still have open flows to
        self._flows: dict[ReplicaId, int] = {}
        self.problem = ""  # why a newer generation is not in force
        self.table: Table[Replica] = Table()
        self.unrouted = hub.book.count(name, "")
        self.stick_by: str | None = None
        self.trust: Trust | None = None  # None: no proxy is known to stand in front
        self._replicas: dict[tuple[ReplicaId, str], Replica] = {}  # routed, or with requests inside
        self._waiting: dict[Waiter, asyncio.TimerHandle] = {}
        self._retry: asyncio.TimerHandle | None = None
        hub.timed.add(self)

    def apply(self, action: SetRoutes) -> None:
        """Put a generation in force. Every request begun from now on is routed by it."""
        routed: dict[tuple[ReplicaId, str], Replica] = {}
        for route in action.routes:
            key = (route.replica, route.address)
            replica = self._replicas.get(key) or Replica(self, route.replica, route.address)
            replica.weight = route.weight
            replica.undrain()
            routed[key] = replica
        gone = {key: replica for key, replica in self._replicas.items() if key not in routed}
        for replica in gone.values():
            replica.weight = 0
            replica.drain(ends_of(action, replica.id))
        self._replicas = routed | {key: replica for key, replica in gone.items() if replica.open}
        self._leave(action)
        self.action = action
        if not action.front:
            self.settle(action)
        self.problem = ""
        self.stick_by = action.stick_by
        if self.trust is None or self.trust.texts != action.trusted_proxies:
            self.trust = Trust(action.trusted_proxies) if action.trusted_proxies else None
        self.table = Table(() if action.hold else routed.values())
        self._fold(*(replica for replica in gone.values() if not replica.open))
        self.release()
        self.hub.changed()

    def settle(self, action: SetRoutes) -> None:
        """Everything that routes requests of this service does so by this generation."""
        self.in_force, self.problem = action, ""
        self.hub.changed()

    def count_flows(self, counted: dict[str, int]) -> None:
        """So many flows, by address, go past this router to the replicas that were left with some."""
        for replica, address in list(self.left.items()):
            number = counted.get(address)
            if number is not None:
                self._flows[replica] = number
                if not number:
                    self._forget_flows(replica)
                    self.hub.changed()

    def remember_flows(self, left: dict[ReplicaId, str]) -> None:
        """What the router before this one knew of them. How many there are is not known before the front is asked."""
        self.left |= left
        self._flows |= dict.fromkeys(left, 1)

    def leave_front(self) -> None:
        """The front is a successor's from now on, and so is what it knows."""
        self.left, self._flows = {}, {}
        self.in_force = self.action

    def _leave(self, action: SetRoutes) -> None:
        """Replicas that are routed no more may have open flows in the front. Unknown is not zero."""
        routed = {route.replica for route in action.routes}
        for replica in routed & self.left.keys():
            self._forget_flows(replica)
        if action.front:
            gone = {route.replica: route.address for route in self.action.routes if route.replica not in routed}
            for replica, address in gone.items():
                self.left[replica] = address.rpartition(":")[0].strip("[]")
                self._flows[replica] = 1

    def _forget_flows(self, replica: ReplicaId) -> None:
        self.left.pop(replica, None)
        self._flows.pop(replica, None)

    def seen(self) -> RouteSeen:
        """What is in force, and what is inside the replicas at this moment."""
        inside: dict[ReplicaId, int] = dict(self._flows)
        for replica in self._replicas.values():
            inside[replica.id] = inside.get(replica.id, 0) + replica.open
        action = self.in_force
        failing = tuple(
            replica.id
            for replica in self._replicas.values()
            if replica.ejected and replica.refuses and not replica.draining
        )
        return RouteSeen(
            settled=action.generation, routes=action.routes, hold=action.hold, held=len(self._waiting), open=inside,
            failing=failing, problem=self.problem,
            overdue={replica.id: replica.overdue for replica in self._replicas.values() if replica.overdue},
        )  # fmt: skip

    def wait(self, waiter: Waiter) -> None:
        """Let a request wait for a replica, if that is wanted."""
        action, limits, now = self.action, self.hub.limits, self.hub.loop.time()
        if not action.hold and not self.table.replicas:
            waiter.give_up("no replica of this service is ready", refused=False)
            return
        waiter.waits_since = waiter.waits_since or now
        patience_s = action.hold_timeout_s if action.hold else limits.park_s
        waiter.wait_until = max(waiter.wait_until, waiter.waits_since + patience_s)
        if now >= waiter.wait_until or len(self._waiting) >= action.hold_max_requests:
            self._give_up(waiter)
            return
        self._waiting[waiter] = self.hub.loop.call_at(waiter.wait_until, self._expire, waiter)
        if not action.hold and self._retry is None:
            self._retry = self.hub.loop.call_later(_RETRY_S, self.release)

    def release(self) -> None:
        """Try all that wait again."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        waiting, self._waiting = self._waiting, {}
        for waiter, timer in waiting.items():
            timer.cancel()
            waiter.leave_queue()
            waiter.dispatch()

    def forget(self, waiter: Waiter) -> None:
        """The client of a waiting request has gone away."""
        timer = self._waiting.pop(waiter, None)
        if timer is not None:
            timer.cancel()

    def emptied(self, replica: Replica) -> None:
        """The last request has left a draining replica."""
        replica.undrain()
        replica.draining = True
        if self._replicas.get((replica.id, replica.address)) is replica:
            del self._replicas[replica.id, replica.address]
        self._fold(replica)
        self.hub.changed()

    def _fold(self, *gone: Replica) -> None:
        """What was counted for replicas that are gone is their revision's, and so is what they may still say."""
        for replica in gone:
            replica.count = self.hub.book.count(self.name, replica.revision)
        self.hub.book.fold(self.name, {replica.id for replica in self._replicas.values()})

    def retire(self) -> None:
        """A successor takes over: what is long-lived ends as if its replicas drained."""
        for replica in self._replicas.values():
            replica.end(ends_of(self.action))

    def look(self, now: float) -> None:
        """Close what has been pooled for too long."""
        for replica in self._replicas.values():
            replica.look(now)

    def replicas(self) -> tuple[Replica, ...]:
        """All that are routed or have requests inside."""
        return tuple(self._replicas.values())

    def _expire(self, waiter: Waiter) -> None:
        del self._waiting[waiter]
        self._give_up(waiter)

    def _give_up(self, waiter: Waiter) -> None:
        by_operator = self.action.hold and bool(self.action.routes)
        waiter.give_up("waited for too long, or behind too many, for a replica", refused=by_operator)
