"""An operator may step in at any time, and users still notice nothing."""

import time

import pytest
from tests.e2e.place import free_port
from tests.e2e.shop import compose, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def until(fact, timeout=20.0):
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout
    while not fact():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


def revisions(place):
    return {replica.id.split("/")[1] for replica in place.replicas("web")}


def test_a_rollout_is_paused_resumed_and_aborted(place):
    port = free_port()
    place.app("asgi", "web")
    place.write(compose(web=service("web", port, together=1, monitor="1s", drain="2500ms")))
    place.midair("up", expect=0)
    before = place.service("web").revision
    with place.load(port, get=2, idle=1, new=1, post=1):
        place.edit("web/app.py", '"v1"', '"v2"')
        accepted = place.midair("up", "--detach", expect=0)
        assert "goes on; see it with midair watch" in accepted.out
        until(lambda: len(revisions(place)) == 2)
        place.midair("pause", "web", expect=0)
        until(lambda: place.service("web").phase == "paused")
        until(lambda: {replica.state for replica in place.replicas("web")} == {"serving"})
        paused = sorted(replica.id for replica in place.replicas("web"))
        time.sleep(1.5)  # longer than it would wait by itself
        assert sorted(replica.id for replica in place.replicas("web")) == paused
        assert "paused" in place.midair("status", expect=0).out
        place.midair("resume", "web", expect=0)
        until(lambda: place.service("web").phase != "paused")
        place.midair("abort", "web", expect=0)
        until(lambda: place.client.history("shop")[0].phase == "rolled_back")
        assert revisions(place) == {before}
        assert place.service("web").serving == 3
    place.nothing_was_lost()


def test_requests_are_held_and_released(place):
    port = free_port()
    place.app("asgi", "web")
    place.write(compose(web=service("web", port, replicas=1)))
    place.midair("up", expect=0)
    with place.load(port, get=2, new=1, post=1) as load:
        place.midair("hold", "web", expect=0)
        until(lambda: place.service("web").held == 4)  # every user waits
        assert "holding, 4 requests waiting" in place.midair("status", expect=0).out
        place.midair("release", "web", expect=0)
        until(lambda: place.service("web").held == 0)
    place.nothing_was_lost()
    assert load.report["by_kind"]["post"]["slowest_s"] > 0.1


def test_a_project_is_renamed_while_it_is_used(place):
    port = free_port()
    place.app("asgi", "web")
    place.write(compose(web=service("web", port, replicas=2, monitor="1s")))
    place.midair("up", expect=0)
    before = sorted(replica.pid for replica in place.replicas("web"))
    with place.load(port, get=2, idle=1, new=1, post=1):
        assert "write `name: store`" in place.midair("rename", "shop", "store", expect=0).err
        assert 'project "store" had this name' in place.midair("up", expect=1).err
        place.edit("compose.yaml", "name: shop", "name: store")
        assert "as wanted" in place.midair("up", expect=0).out
        place.midair("daemon", "restart", expect=0)
        assert place.midair("status", expect=0).out.startswith("store ")
        assert sorted(replica.pid for replica in place.replicas("web")) == before
        place.edit("web/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
    place.nothing_was_lost()
    assert [change.kind for change in place.client.history("store")] == ["undo", "up", "up"]
    place.midair("down", "--forget", expect=0)
    assert not (place.home / "projects" / "shop").exists()
