"""A service with a front: it is made, put right and removed, and routes are in force only when it has them."""

import pytest
from msgspec.structs import replace
from tests.rollout.test_takeover import told

from midair import rollout as core
from midair.model.action import MakeFront, RemoveFront, SetRoutes, StopReplica
from midair.model.project import Port
from midair.model.seen import FrontSeen, Trouble

FIT = FrontSeen("web")


@pytest.fixture
def fronted(stage):
    stage.policy = replace(stage.policy, ports=(), front=True)
    stage.front = FIT
    return stage


def actions(stage, front):
    stage.seen = replace(stage.seen, front=front)
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return step.actions


def kinds(found):
    return {type(action) for action in found}


def test_front_is_asked_for_with_the_first_replica(fronted):
    told(fronted, "begin a 1", "see")
    assert MakeFront in kinds(actions(fronted, None))


@pytest.mark.parametrize("front", [None, FrontSeen("web", fit=False, detail="it is paused")])
def test_front_of_a_completed_rollout_is_put_right(fronted, front):
    told(fronted, "serving a 1", "see a/0 ready; settled 2 a/0")
    assert MakeFront in kinds(actions(fronted, front))
    assert MakeFront not in kinds(actions(fronted, FIT))


def test_failed_front_is_asked_for_again_later(fronted):
    told(fronted, "serving a 1", "see a/0 ready; settled 2 a/0", "at 50")
    fronted.seen = replace(fronted.seen, troubles=(Trouble("front web", 1, 49.9, "no nftables"),))
    assert MakeFront not in kinds(actions(fronted, None))
    fronted.now = 51.0
    assert MakeFront in kinds(actions(fronted, None))


def test_service_without_ports_is_routed_in_its_front(fronted):
    told(fronted, "serving a 1", "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0")
    [routes] = [action for action in actions(fronted, FIT) if isinstance(action, SetRoutes)]
    assert routes.front
    assert routes.ports == ()


def test_replica_waits_for_the_front_before_it_stops(fronted):
    told(fronted, "serving a 1", "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0", "at 100")
    actions(fronted, FIT)
    told(fronted, "see a/0 ready, b/0 ready; settled 3 a/0 b/0", "at 200")
    [routes] = [action for action in actions(fronted, FIT) if isinstance(action, SetRoutes)]
    assert [route.replica for route in routes.routes] == ["web/b/0"]
    assert StopReplica not in kinds(actions(fronted, FIT))
    told(fronted, "see a/0 ready, b/0 ready; settled 4 b/0")
    assert StopReplica in kinds(actions(fronted, FIT))


def test_front_is_removed_after_the_last_replica(fronted):
    told(fronted, "serving a 1", "begin nothing 0", "see a/0 ready; settled 2 a/0")
    assert RemoveFront not in kinds(actions(fronted, FIT))
    told(fronted, f"see nothing; settled {fronted.rollout.generation}")
    assert RemoveFront in kinds(actions(fronted, FIT))
    assert fronted.rollout.phase != "completed"
    told(fronted, f"see nothing; settled {fronted.rollout.generation}")
    actions(fronted, None)
    told(fronted, f"see nothing; settled {fronted.rollout.generation}")
    actions(fronted, None)
    assert fronted.rollout.phase == "completed"


def test_front_outlives_replicas_named_by_it(fronted):
    told(fronted, "serving a 1")
    fronted.policy = replace(fronted.policy, front=False)
    told(fronted, "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0")
    found = actions(fronted, FIT)
    assert RemoveFront not in kinds(found)
    assert all(action.front for action in found if isinstance(action, SetRoutes))
    told(fronted, f"see b/0 ready; settled {fronted.rollout.generation} b/0")
    assert RemoveFront in kinds(actions(fronted, FIT))


def test_paused_front_nobody_wants_holds_nothing_up(fronted):
    told(fronted, "serving a 1")
    fronted.policy = replace(fronted.policy, front=False)
    told(fronted, "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0")
    found = actions(fronted, FrontSeen("web", fit=False, detail="it is paused"))
    assert not any(action.front for action in found if isinstance(action, SetRoutes))


def ports_of(stage, **listens):
    """The ports of the front in the routes asked for when each replica listens on these."""
    replicas = tuple(replace(one, listens=listens.get(one.id.split("/")[1], ())) for one in stage.seen.replicas)
    stage.seen = replace(stage.seen, replicas=replicas)
    asked = [action for action in actions(stage, FIT) if isinstance(action, SetRoutes)]
    return [port.port for port in (asked[-1] if asked else stage.rollout.asked).ports if port.front]


def named(*ports):
    return tuple(Port(port, port, inside=True, front="web") for port in ports)


def test_port_that_nobody_named_is_counted_once_known(fronted):
    fronted.policy = replace(fronted.policy, ports=named(8000))
    told(fronted, "serving a 1", "see a/0 ready; settled 2 a/0")
    assert ports_of(fronted) == [8000]
    told(fronted, f"see a/0 ready; settled {fronted.rollout.generation} a/0")
    assert ports_of(fronted, a=(8000, 9100)) == [8000, 9100]
    assert [port.protocol for port in fronted.rollout.asked.ports] == ["http", "http"], "its first bytes tell"


def test_named_port_without_a_listener_is_left_to_the_kernel(fronted):
    fronted.policy = replace(fronted.policy, ports=named(5671, 5672))
    told(fronted, "serving a 1", "see a/0 ready; settled 2 a/0")
    assert ports_of(fronted, a=(5672,)) == [5672]


def test_ports_stay_while_nobody_is_routed_to(fronted):
    fronted.policy = replace(fronted.policy, ports=named(8000))
    told(fronted, "serving a 1", "see a/0 ready; settled 2 a/0")
    assert ports_of(fronted, a=(8000, 9100)) == [8000, 9100]
    told(fronted, f"see a/0 exited; settled {fronted.rollout.generation} a/0")
    assert ports_of(fronted) == [8000, 9100]


def test_ports_of_both_revisions_are_counted_during_a_change(fronted):
    fronted.policy = replace(fronted.policy, ports=named(8000))
    told(fronted, "serving a 1", "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0")
    assert ports_of(fronted, a=(8000, 9100), b=(8000, 9200)) == [8000, 9100, 9200]
