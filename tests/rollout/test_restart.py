"""Every replica replaced by one of the same revision."""

from msgspec.structs import replace

from midair.model.ids import RevisionId
from midair.model.project import Port, Restart, Strategy, StrategyStep, Update
from midair.model.rollout import Done, Goal, Policy, Rollout
from midair.model.seen import ReplicaSeen, RouteSeen, Seen
from midair.rollout import advance, begin, turn_back

POLICY = Policy(update=Update(order="start-first"), rollback=Update(order="start-first"), ports=(Port(80, 80),))
JOB = Policy(restart=Restart("none"), one_shot=True, update=Update(order="start-first"))


def replica(place, state="ready", at=0.0, **more):
    ready_at = at if state == "ready" else None
    return ReplicaSeen(f"web/a/{place}", state, at, address=f"a:{place}", ready_at=ready_at, **more)


def seen(rollout, *replicas):
    asked = rollout.asked
    return Seen(replicas, RouteSeen(asked.generation, asked.routes) if asked is not None else RouteSeen(0))


def running(*replicas, policy=POLICY, **more):
    goal = Goal(RevisionId("a"), len(replicas))
    rollout = Rollout("web", 1, "completed", goal, goal, policy, policy, **more)
    for _ in range(3):
        rollout = advance(rollout, seen(rollout, *replicas), 0.0).rollout
    return rollout


def restarted(rollout, now=100.0):
    return begin("web", 2, rollout.goal, rollout.policy, rollout, now, restarts=True)


def keys(step, verb):
    return [action.key for action in step.actions if action.key.startswith(verb)]


def test_restart_starts_a_replica_of_the_same_revision():
    rollout = restarted(running(replica(0), replica(1)))
    step = advance(rollout, seen(rollout, replica(0), replica(1)), 100.0)
    assert keys(step, "start") == ["start web/a/2"]
    assert {route.replica for route in step.rollout.routes} == {"web/a/0", "web/a/1"}


def test_restart_completes_when_no_old_replica_is_left():
    world = {0: replica(0), 1: replica(1)}
    rollout = restarted(running(*world.values()))
    now, made = 100.0, set()
    for _ in range(60):
        step = advance(rollout, seen(rollout, *world.values()), now)
        rollout = step.rollout
        for action in step.actions:
            verb, _, name = action.key.partition(" ")
            place = int(name.rpartition("/")[2]) if "/" in name else -1
            if verb == "start":
                world[place] = replica(place, at=now)
                made.add(place)
            elif verb in ("stop", "remove"):
                world.pop(place, None)
        now += 3.0
        if rollout.phase == "completed":
            break
    assert rollout.phase == "completed"
    assert len(made) == 2
    assert {int(one.id.rpartition("/")[2]) for one in rollout.replicas} == made - (made - set(world))
    assert rollout.replaces == ()


def test_restart_respects_stop_first():
    policy = replace(POLICY, update=Update(order="stop-first"))
    rollout = restarted(running(replica(0), replica(1), policy=policy))
    step = advance(rollout, seen(rollout, replica(0), replica(1)), 100.0)
    assert keys(step, "start") == []
    assert len(step.rollout.routes) == 1


def test_restart_of_a_canary_takes_no_steps():
    steps = (StrategyStep(weight=10), StrategyStep(pause_s=-1.0))
    rollout = restarted(running(replica(0), policy=replace(POLICY, strategy=Strategy("canary", steps))))
    rollout = advance(rollout, seen(rollout, replica(0)), 100.0).rollout
    for now in (101.0, 108.0, 109.0):
        rollout = advance(rollout, seen(rollout, replica(0), replica(1, at=101.0)), now).rollout
    assert {route.replica for route in rollout.routes} == {"web/a/1"}


def test_failed_restart_keeps_the_old_replicas():
    old = [replica(0), replica(1)]
    rollout = restarted(running(*old))
    rollout = advance(rollout, seen(rollout, *old), 100.0).rollout
    step = advance(rollout, seen(rollout, *old, replica(2, "exited", 101.0, exit_code=1)), 101.0)
    assert step.rollout.phase == "rolling_back"
    for now in (102.0, 103.0):
        step = advance(step.rollout, seen(step.rollout, *old), now)
    assert step.rollout.phase == "rolled_back"
    assert {route.replica for route in step.rollout.routes} == {"web/a/0", "web/a/1"}


def test_restart_runs_a_completed_one_shot_again():
    ended = replica(0, "exited", 1.0, exit_code=0)
    job = running(ended, policy=JOB, done=(Done("web/a/0", 1.0),))
    rollout = restarted(job)
    step = advance(rollout, Seen((ended,)), 100.0)
    assert keys(step, "start") == ["start web/a/1"]
    again = replica(1, "exited", 101.0, exit_code=0)
    for now in (101.0, 102.0, 103.0):
        step = advance(step.rollout, Seen((again,)), now)
    assert step.rollout.phase == "completed"
    assert advance(begin("web", 3, job.goal, JOB, step.rollout, 200.0), Seen(()), 200.0).actions == ()


def test_failed_one_shot_falls_back_on_its_record():
    job = running(replica(0, "exited", 1.0, exit_code=0), policy=JOB, done=(Done("web/a/0", 1.0),))
    step = advance(restarted(job), Seen(()), 100.0)
    assert keys(step, "start") == ["start web/a/0"]
    step = advance(step.rollout, Seen((replica(0, "exited", 101.0, exit_code=1),)), 101.0)
    assert step.rollout.phase == "rolling_back"
    for now in (102.0, 103.0):
        step = advance(step.rollout, Seen(()), now)
    assert step.rollout.phase == "rolled_back"
    assert not keys(step, "start")


def test_restart_that_is_superseded_goes_on():
    rollout = restarted(running(replica(0), replica(1)))
    scaled = begin("web", 3, Goal(RevisionId("a"), 3), POLICY, rollout, 101.0)
    assert scaled.replaces == ("web/a/0", "web/a/1")
    other = begin("web", 3, Goal(RevisionId("b"), 2), POLICY, rollout, 101.0)
    assert other.replaces == ()


def test_turned_back_restart_of_everything_is_where_it_was():
    rollout = replace(restarted(running(replica(1))), phase="completed", replaces=())
    back = turn_back(rollout, 101.0, "another service failed")
    assert advance(back, seen(back, replica(1)), 101.0).rollout.phase == "rolled_back"
