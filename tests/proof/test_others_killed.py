"""Replicas, the router, and everything at once are killed. What was inside is lost, is counted, and nothing else."""

import os
import signal
import time
from contextlib import contextmanager

import pytest
from tests.proof.ground import asked, exchange, is_running, kill, wait
from tests.proof.streams import Stream

pytestmark = pytest.mark.e2e
HELLO = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@contextmanager
def streams(port, count):
    """So many answers under way, for a `with` block."""
    opened = [Stream(port) for _ in range(count)]
    try:
        yield opened
    finally:
        for stream in opened:
            stream.close()


def answers(port):
    """Whether the port answers now."""
    try:
        return exchange(port, HELLO, timeout=1.0).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def a_second():
    """A second, or longer where each core has many programs to run at once, and all of them have to wait."""
    return max(1.0, 0.25 * os.getloadavg()[0] / (os.cpu_count() or 1))


def deaths(ground):
    """What the history has of routers that died."""
    return [event for event in ground.client.events("shop", after=0) if event.kind == "router-died"]


def await_successor(ground, replica, pid):
    """Wait until a replica is another process and all three serve."""
    wait(lambda: asked(lambda: ground.is_whole(3) and ground.pids().get(replica, pid) != pid), f"{replica} back")


def test_a_killed_replica_takes_only_the_requests_inside_it_and_exactly_those_are_lost(ground):
    ground.up("red")
    before = ground.client.counts("shop").total
    with streams(ground.port, 12) as opened:
        victim = opened[0].replica
        inside = [stream for stream in opened if stream.replica == victim]
        others = [stream for stream in opened if stream.replica != victim]
        assert others, "the router uses one replica only"
        kill(ground.pids()[victim])
        assert not any(stream.ends() for stream in inside)
        assert all(stream.is_going_on() for stream in others)
        total = ground.client.counts("shop").total.minus(before)
        assert (total.accepted, total.lost) == (12, len(inside))
        ground.becomes_whole()
        assert all(stream.is_going_on() for stream in others)
    assert ground.client.counts("shop").total.minus(before).lost == len(inside)


def test_what_users_see_fail_when_replicas_are_killed_is_what_the_router_counts(ground):
    ground.up("red", replicas=3)
    with ground.load(ground.port, get=3, new=2, post=3, idle=1) as load:
        for number in range(6):
            pids = ground.pids()
            victim = sorted(name for name in pids if "/" in name)[number % 3]
            kill(pids[victim])
            await_successor(ground, victim, pids[victim])
    total = ground.client.counts("shop").total
    assert total.accepted == load.report["requests"]
    assert total.lost == load.report["failed"] <= 6 * 9
    assert total.answered == total.accepted - total.lost
    kinds = {kind: seen["failed"] for kind, seen in load.report["by_kind"].items() if seen["failed"]}
    assert set(kinds) <= {"post"}, f"requests that could be repeated were lost: {kinds}"


def test_a_killed_router_is_back_within_a_second_and_says_what_was_lost(ground):
    ground.up("red")
    before = ground.client.counts("shop").total
    routes = {replica.id: replica.weight for replica in ground.replicas("web")}
    with streams(ground.port, 5) as opened:
        pid = ground.pids()["router"]
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        wait(lambda: answers(ground.port), "the router", pause=0.005)
        took = time.monotonic() - killed
        assert not any(stream.ends() for stream in opened)
    assert took < a_second()
    ground.becomes_whole()
    assert ground.pids()["router"] != pid
    assert {replica.id: replica.weight for replica in ground.replicas("web")} == routes
    total = ground.client.counts("shop").total.minus(before)
    assert (total.lost, total.accepted, total.answered) == (5, total.answered + 5, total.accepted - 5)
    [death] = deaths(ground)
    assert (death.fields["lost"], death.fields["refused"]) == (5, False)
    assert death.fields["took_s"] <= took
    assert ground.status().router.death == death.text
    assert death.text.endswith("5 requests inside it lost; connections made meanwhile waited")
    assert death.text in ground.midair("status", expect=0).out
    assert death.text in ground.midair("events", expect=0).out


def test_a_killed_router_loses_what_was_inside_it_and_refuses_nobody(ground):
    ground.up("red")
    users = {"get": 3, "new": 4, "post": 2, "idle": 2}
    with ground.load(ground.port, **users) as load:
        for _ in range(3):
            before = ground.pids()["router"]
            os.kill(before, signal.SIGKILL)
            wait(lambda: asked(lambda: ground.pids().get("router", before) != before), "the router")  # noqa: B023
            ground.becomes_whole()
            assert answers(ground.port)
    wait(lambda: len(deaths(ground)) == 3, "the account of each death")
    report, total = load.report, ground.client.counts("shop").total
    assert 0 < report["failed"] <= 3 * sum(users.values()), report["failures"]
    refused = [failure for failure in report["failures"] if failure["why"].startswith("connect")]
    assert refused == [], "a new connection did not wait for the next router"
    assert total.lost <= report["failed"], "more was counted as lost than was seen to fail"
    assert sum(death.fields["lost"] for death in deaths(ground)) == total.lost
    assert [death.fields["refused"] for death in deaths(ground)] == [False] * 3


def test_a_router_that_dies_in_the_middle_of_a_change_is_in_its_report(ground):
    ground.up("red")
    with streams(ground.port, 2) as opened:
        ground.project("blue", monitor="2s")
        command = ground.begin("up")
        wait(lambda: ground.stored()["id"] == 2, "the change on record")
        os.kill(ground.pids()["router"], signal.SIGKILL)
        out, err = command.communicate(timeout=60)
        assert not any(stream.ends() for stream in opened)
    assert command.returncode == 0, err
    told = [line for line in out.splitlines() if "router died" in line]
    assert len(told) == 1, out
    assert "2 requests inside it lost" in told[0]
    assert out.splitlines()[-1].endswith(", 2 lost")
    assert [death.change for death in deaths(ground)] == [2]


def test_a_router_killed_without_a_control_plane_is_back_when_that_is(ground):
    ground.up("red")
    pids = ground.pids()
    kill(pids["daemon"])
    kill(pids["router"])
    assert not answers(ground.port)
    ground.client.ensure_daemon()
    wait(lambda: answers(ground.port), "the router")
    ground.becomes_whole()
    [death] = deaths(ground)
    assert death.text.startswith("router died while no control plane was there")
    assert death.text.endswith("connections made meanwhile were refused and cannot be counted")
    assert {name: pid for name, pid in ground.pids().items() if "/" in name} == {
        name: pid for name, pid in pids.items() if "/" in name
    }, "replicas were touched"


def test_up_brings_everything_back_after_everything_was_killed(ground):
    ground.up("red", replicas=3)
    before = ground.client.counts("shop").total
    exchange(ground.port, HELLO)
    pids = ground.pids()
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    wait(lambda: not any(map(is_running, pids.values())), "the end of everything")
    ground.midair("up", expect=0)
    ground.becomes_whole(3)
    assert answers(ground.port)
    assert not set(ground.pids().values()) & set(pids.values())
    total = ground.client.counts("shop").total.minus(before)
    assert (total.answered, total.lost) == (2, 0), "counts were not continued"
