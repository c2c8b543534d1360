"""A replica is ready when the router that will route to it has connected to it, besides its check."""

import pytest
from msgspec.structs import replace

from midair import rollout as core
from midair.model.action import ReachReplicas
from midair.model.event import ReplicaReady, ReplicaWaiting
from midair.model.ids import ReplicaId
from midair.model.project import Port, Update
from midair.model.rollout import Expected, Goal, Policy
from midair.model.seen import Reach, ReplicaSeen, RouteSeen, Seen

OLD, NEW = ReplicaId("web/a/0"), ReplicaId("web/b/0")
WEB, DEBUG, METRICS = (Expected(port) for port in (8000, 5678, 9100))


class Desk:
    """One service on its way from revision a to b. Its replicas have addresses of their own, as containers have."""

    def __init__(self, *expects, first=False, monitor_s=5.0):
        update = Update(order="start-first", monitor_s=monitor_s)
        self.policy = Policy(update=update, rollback=update, ports=(Port(80, 8000),), expects=expects)
        self.now = 0.0
        self.reports = ()
        self.step = None
        self.rollout = None
        if not first:
            self.begin("a")
            self.look(self.see(OLD))
            self.report(OLD, **{str(one.port): "answered" for one in expects})
            self.look(self.see(OLD))
            self.now = 100.0
            self.look(self.see(OLD))
            self.rollout = core.settle(self.rollout)
        self.begin("b")
        self.look(*(() if first else (self.see(OLD),)))  # the new one is started

    def begin(self, revision):
        self.rollout = core.begin("web", 1, Goal(revision, 1), self.policy, self.rollout, self.now)
        self.began = self.now

    def see(self, replica, state="ready", **more):
        at = self.began if replica.split("/")[1] == self.rollout.goal.revision else 0.0
        return ReplicaSeen(replica, state, at, address=f"{replica}:*", ready_at=at, **more)

    def report(self, replica, attempt=1, turn=0, **ports):
        """By port: refused, connected or answered."""
        self.reports += tuple(
            Reach(replica, attempt, turn, f"{replica}:*", int(port), state, "connection refused" * (state == "refused"))
            for port, state in ports.items()
        )

    def look(self, *replicas, reach=True, failing=()):
        """One round, with the routes asked for last in force."""
        asked = self.rollout.asked
        self.step = core.advance(self.rollout, Seen(replicas, self.route(asked, reach, failing)), self.now)
        self.rollout = self.step.rollout
        return {str(one.id): one for one in self.rollout.replicas}

    def route(self, asked, reach, failing):
        reports = self.reports if reach else None
        return RouteSeen(
            asked.generation if asked else 0, asked.routes if asked else (), reach=reports, failing=failing
        )

    @property
    def candidates(self):
        return [one for action in self.step.actions if isinstance(action, ReachReplicas) for one in action.candidates]

    @property
    def routed(self):
        return [route.replica for route in self.rollout.routes]


def test_replica_is_starting_until_the_router_connects():
    desk = Desk(WEB)
    seen = desk.look(desk.see(OLD), desk.see(NEW))[NEW]
    assert (seen.state, seen.ready_at) == ("starting", None)
    assert [(one.replica, one.ports) for one in desk.candidates] == [(NEW, (8000,))]
    assert desk.routed == [OLD]
    desk.report(NEW, **{"8000": "refused"})
    assert desk.look(desk.see(OLD), desk.see(NEW))[NEW].detail == "connection refused"
    desk.reports = desk.reports[:-1]
    desk.now += 1.0
    desk.report(NEW, **{"8000": "connected"})
    assert desk.look(desk.see(OLD), desk.see(NEW))[NEW].ready_at == desk.now
    assert desk.routed == [OLD, NEW]


def test_reached_replica_is_not_connected_to_again():
    desk = Desk(WEB)
    desk.report(NEW, **{"8000": "answered"})
    desk.look(desk.see(OLD), desk.see(NEW))
    desk.reports = ()  # another router, which knows nothing of it
    desk.look(desk.see(OLD), desk.see(NEW))
    assert desk.candidates == []
    assert desk.routed == [OLD, NEW]


def test_any_published_port_is_enough_at_first():
    desk = Desk(WEB, DEBUG, first=True)
    desk.report(NEW, **{"8000": "answered", "5678": "refused"})
    assert desk.look(desk.see(NEW))[NEW].state == "ready"
    assert [one.note for one in desk.step.events if isinstance(one, ReplicaReady)] == ["nothing listens on 5678"]


def test_exposed_port_does_not_stand_for_published_ones():
    desk = Desk(WEB, replace(METRICS, source="expose"), first=True)
    desk.report(NEW, **{"8000": "refused", "9100": "answered"})
    assert desk.look(desk.see(NEW))[NEW].state == "starting"


def test_ports_of_the_old_replica_are_waited_for_within_monitor():
    desk = Desk(WEB, METRICS, monitor_s=5.0)
    desk.report(NEW, **{"8000": "answered", "9100": "refused"})
    assert desk.look(desk.see(OLD), desk.see(NEW))[NEW].state == "starting"
    desk.now += 4.9
    assert desk.look(desk.see(OLD), desk.see(NEW))[NEW].state == "starting"
    assert desk.step.wake_at == pytest.approx(desk.now + 0.1)
    desk.now += 0.1
    assert desk.look(desk.see(OLD), desk.see(NEW))[NEW].state == "ready"


def test_image_port_without_listener_passes_after_a_while():
    desk = Desk(replace(WEB, source="image"), first=True)
    desk.report(NEW, **{"8000": "refused"})
    assert desk.look(desk.see(NEW))[NEW].state == "starting"
    desk.now = 9.9
    assert desk.look(desk.see(NEW))[NEW].state == "starting"
    assert desk.step.wake_at == 10.0
    desk.now = 10.0
    assert desk.look(desk.see(NEW))[NEW].state == "ready"
    assert [one.note for one in desk.step.events if isinstance(one, ReplicaReady)] == ["nothing listens on 8000"]


def test_silent_listener_on_an_image_port_is_waited_for():
    desk = Desk(replace(WEB, source="image", http=True), first=True)
    desk.report(NEW, **{"8000": "connected"})
    desk.now = 60.0
    assert desk.look(desk.see(NEW))[NEW].state == "starting"


@pytest.mark.parametrize(("checked", "state"), [(False, "starting"), (True, "ready")])
def test_http_port_without_check_has_to_answer(checked, state):
    desk = Desk(replace(WEB, http=True), first=True)
    desk.look(desk.see(NEW, checked=checked))
    assert desk.candidates[0].http == (() if checked else (8000,))
    desk.report(NEW, **{"8000": "connected"})
    assert desk.look(desk.see(NEW, checked=checked))[NEW].state == state


def test_router_of_an_older_version_leaves_the_word_to_the_check():
    desk = Desk(WEB)
    assert desk.look(desk.see(OLD), desk.see(NEW), reach=False)[NEW].state == "ready"
    assert desk.candidates == []
    assert desk.look(desk.see(OLD), desk.see(NEW), reach=False, failing=(NEW,))[NEW].state == "ready"


def test_unknown_router_makes_no_replica_ready():
    desk = Desk(WEB)
    step = core.advance(desk.rollout, Seen((desk.see(OLD), desk.see(NEW))), desk.now)
    assert {one.id: one.state for one in step.rollout.replicas} == {OLD: "ready", NEW: "starting"}


def test_routed_replica_stays_routed_when_a_newer_router_comes():
    desk = Desk(WEB)
    desk.rollout = replace(desk.rollout, reachable=())  # as stored by an older version
    assert desk.look(desk.see(OLD))[OLD].state == "ready"
    assert desk.routed == [OLD]
    desk.reports = ()
    desk.look(desk.see(OLD))
    assert [(one.replica, one.ports, one.http) for one in desk.candidates] == [(OLD, (8000,), ())]  # what it listens on


def test_refused_router_makes_a_replica_unhealthy_and_the_change_fail():
    desk = Desk(WEB)
    desk.report(NEW, **{"8000": "answered"})
    desk.look(desk.see(OLD), desk.see(NEW))
    desk.now += 1.0
    seen = desk.look(desk.see(OLD), desk.see(NEW), failing=(NEW,))[NEW]
    assert (seen.state, seen.since) == ("unhealthy", desk.now)
    assert desk.rollout.phase == "rolling_back"
    assert "refused" in desk.rollout.reason


def test_replica_that_refused_is_reached_anew():
    desk = Desk(WEB, first=True)
    desk.report(NEW, **{"8000": "answered"})
    desk.look(desk.see(NEW))
    desk.now += 60.0
    desk.look(desk.see(NEW))
    desk.rollout = core.settle(desk.rollout)
    assert desk.look(desk.see(NEW), failing=(NEW,))[NEW].state == "unhealthy"
    assert (desk.routed, [one.turn for one in desk.candidates]) == ([], [1])
    desk.report(NEW, turn=1, **{"8000": "answered"})
    assert desk.look(desk.see(NEW))[NEW].state == "ready"
    assert desk.routed == [NEW]


def reasons(desk):
    return [one.reason for one in desk.step.events if isinstance(one, ReplicaWaiting)]


def test_reason_of_a_wait_is_reported_within_a_second_and_once():
    desk = Desk(WEB)
    desk.report(NEW, **{"8000": "refused"})
    desk.look(desk.see(OLD), desk.see(NEW))
    assert (reasons(desk), desk.step.wake_at) == ([], desk.now + 0.8)
    desk.now += 0.9
    desk.look(desk.see(OLD), desk.see(NEW))
    assert reasons(desk) == ["connection refused"]
    desk.now += 5.0
    desk.look(desk.see(OLD), desk.see(NEW))
    assert reasons(desk) == []
    desk.look(desk.see(OLD), desk.see(NEW, "starting", detail="GET /healthz answered 400"))
    assert reasons(desk) == ["GET /healthz answered 400"]


def test_deadline_says_what_was_waited_for():
    desk = Desk(WEB)
    desk.report(NEW, **{"8000": "refused"})
    for desk.now in (100.0, 701.0):
        desk.look(desk.see(OLD), desk.see(NEW))
    assert desk.rollout.phase == "rolling_back"
    assert desk.rollout.reason.endswith("after the last progress: web/b/0 connection refused")


def test_listener_on_loopback_alone_is_named():
    desk = Desk(WEB)
    desk.report(NEW, **{"8000": "refused"})
    seen = desk.look(desk.see(OLD), desk.see(NEW, loopback=(8000,)))[NEW]
    assert seen.detail == "connection refused: it listens on 127.0.0.1 inside the container"
    elsewhere = desk.look(desk.see(OLD), desk.see(NEW, listens=(3000,), loopback=(9229,)))[NEW]
    assert elsewhere.detail == "connection refused: it listens on 3000 and 9229"
