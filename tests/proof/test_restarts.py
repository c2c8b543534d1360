"""Control plane and router are replaced in the middle of everything. Nothing is lost, and counts go on."""

import pytest
from tests.proof.ground import USERS, kill, wait
from tests.proof.streams import Stream

pytestmark = pytest.mark.e2e
EVERYONE = {**USERS, "slow": 1, "stream": 1}
SHORT = {"parts": 15}  # a stream of 1.5 seconds


def test_a_daemon_restart_under_load_loses_nothing_and_a_change_goes_on_in_the_successor(ground):
    ground.up("red")
    with ground.load(ground.port, **EVERYONE, options=SHORT):
        before = ground.pids()
        change = ground.change(ground.project("blue", together=1, monitor="1s"))
        ground.midair("daemon", "restart", expect=0)
        assert ground.client.health().pid != before["daemon"]
        assert ground.client.change("shop", change).ended_at is None, "the change was over before the restart"
        assert ground.ended(change).phase == "completed"
        ground.becomes_whole()
        assert ground.pids()["router"] == before["router"]
    ground.nothing_was_lost()


def test_no_call_fails_while_the_daemon_is_restarted(ground):
    ground.up("red")
    child = ground.begin("daemon", "restart")
    pids = set()
    while child.poll() is None:
        pids.add(ground.client.health().pid)
        assert ground.status().name == "shop"
    child.communicate()
    assert child.returncode == 0
    pids.add(ground.client.health().pid)
    assert len(pids) == 2


def test_the_first_answers_of_a_new_daemon_are_right(ground):
    ground.up("red")
    with ground.load(ground.port, get=1):
        pass
    counted, replicas = ground.client.counts("shop").total, ground.replicas("web")
    assert counted.accepted > 0
    for _ in range(5):
        kill(ground.client.health().pid)
        ground.client.ensure_daemon()
        assert ground.client.counts("shop").total == counted
        assert ground.replicas("web") == replicas


def test_a_successor_that_cannot_start_changes_nothing(ground):
    ground.up("red")
    pid = ground.client.health().pid
    broken = ground.home / "midair.db"
    ground.client.daemon_stop()
    broken.rename(ground.home / "away")
    broken.write_bytes(b"no database\n" * 1000)
    assert ground.midair("daemon", "start").code != 0
    (ground.home / "away").replace(broken)
    assert ground.client.ensure_daemon().pid != pid
    ground.becomes_whole()


def test_router_restarts_under_load_lose_nothing_and_counts_go_on(ground):
    ground.up("red")
    with ground.load(ground.port, **EVERYONE, options=SHORT):
        for _ in range(3):
            before, counted = ground.pids(), ground.client.counts("shop").total
            ground.midair("router", "restart", expect=0)
            assert ground.pids()["router"] != before["router"]
            assert {**ground.pids(), "router": 0} == {**before, "router": 0}, "something else was touched"
            assert ground.client.counts("shop").total.accepted >= counted.accepted
    ground.nothing_was_lost()
    wait(lambda: len(ground.router_processes()) == 1, "the end of the routers before")


def test_a_router_restart_in_the_middle_of_a_change_loses_nothing(ground):
    ground.up("red", replicas=3)
    with ground.load(ground.port, **EVERYONE, options=SHORT):
        change = ground.change(ground.project("blue", replicas=3, together=1, monitor="500ms"))
        ground.midair("router", "restart", expect=0)
        assert ground.client.change("shop", change).ended_at is None, "the change was over before the restart"
        ground.midair("router", "restart", expect=0)
        assert ground.ended(change).phase == "completed"
        ground.becomes_whole(3)
    ground.nothing_was_lost()


def test_answers_under_way_end_in_the_old_router(ground):
    ground.up("red")
    before = ground.client.counts("shop").total
    stream = Stream(ground.port, parts=30)
    ground.midair("router", "restart", expect=0)
    assert stream.ends()
    stream.close()
    wait(lambda: len(ground.router_processes()) == 1, "the end of the router before")
    total = ground.client.counts("shop").total.minus(before)
    assert (total.accepted, total.answered, total.lost) == (1, 1, 0)
