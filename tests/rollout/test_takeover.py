"""A replica that something else made and published: the router leaves its port alone until it is its turn to go."""

from msgspec.structs import replace

from midair import rollout as core
from midair.model.action import SetRoutes, StopReplica
from midair.rollout.route import TAKE_OVER_S


def told(stage, *lines):
    for line in lines:
        stage.play(line)


def actions_of(stage, kind):
    step = core.advance(stage.rollout, stage.seen, stage.now)
    stage.rollout = step.rollout
    return [action for action in step.actions if isinstance(action, kind)]


def publish(stage):
    ones = tuple(replace(one, published=one.id.startswith("web/a/")) for one in stage.seen.replicas)
    stage.seen = replace(stage.seen, replicas=ones)


def test_the_port_is_asked_for_when_its_owner_leaves_and_not_before(stage):
    told(stage, "serving a 1", "begin b 1", "see a/0 ready, b/0 starting; settled 2 a/0")
    publish(stage)
    [asked] = actions_of(stage, SetRoutes)
    assert asked.ports == ()
    stop_first_by_name(stage)
    [asked] = actions_of(stage, SetRoutes)
    assert len(asked.ports) == 1


def stop_first_by_name(stage):
    """Calls by name leave what is published before it is stopped."""
    told(stage, "see a/0 ready, b/0 ready; settled 3 a/0 b/0", "at 100")
    publish(stage)
    step = actions_of(stage, SetRoutes | StopReplica)
    assert [(one.routes[0].replica, one.ports) for one in step] == [("web/b/0", ())]
    told(stage, f"see a/0 ready, b/0 ready; settled {step[0].generation} b/0")
    publish(stage)
    step = actions_of(stage, SetRoutes | StopReplica)
    assert [one.replica for one in step if isinstance(one, StopReplica)] == ["web/a/0"]


def test_going_back_to_it_leaves_its_port_alone(stage):
    told(stage, "serving a 1", "begin b 1", "see a/0 ready, b/0 starting; settled 2 a/0")
    publish(stage)
    [asked] = actions_of(stage, SetRoutes)
    told(stage, "turn back it failed", f"see a/0 ready, b/0 starting; settled {asked.generation} a/0")
    publish(stage)
    step = actions_of(stage, SetRoutes | StopReplica)
    assert [one.replica for one in step if isinstance(one, StopReplica)] == ["web/b/0"]
    assert [one for one in step if isinstance(one, SetRoutes) and one.ports] == []


def test_while_the_port_is_being_left_it_is_asked_for_often_but_not_without_a_pause(stage):
    told(stage, "serving a 1", "begin b 1", "see a/0 ready, b/0 ready; settled 2 a/0")
    publish(stage)
    actions_of(stage, SetRoutes)
    stop_first_by_name(stage)
    [asked] = actions_of(stage, SetRoutes)
    assert asked.ports
    told(stage, f"see a/0 stopping, b/0 ready; settled {asked.generation - 1} b/0")
    publish(stage)
    stage.seen = replace(stage.seen, asked_at=stage.now)
    step = core.advance(stage.rollout, stage.seen, stage.now)
    assert step.actions == ()
    assert step.wake_at == stage.now + TAKE_OVER_S
    assert core.advance(step.rollout, stage.seen, step.wake_at).actions == (asked,)
