"""Changes that fail go back by themselves, all together, and users notice nothing."""

import time

import pytest
from tests.e2e.place import free_port
from tests.e2e.shop import compose, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(180)]

USERS = {"get": 2, "idle": 1, "new": 1, "post": 1, "slow": 1, "ws": 1}


def revision(place, name):
    return place.service(name).revision


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("exits", "exited with code 1"),
        ("never ready", "not ready"),
        ("sick", "unhealthy"),
        ("dies", "exited with code 3"),
    ],
)
def test_a_broken_release_goes_back_by_itself(place, broken, reason):
    port = free_port()
    place.app("asgi", "web")
    more = {"together": 1, "monitor": "3s", "drain": "2500ms"}
    place.write(compose(web=service("web", port, **more)))
    place.midair("up", expect=0)
    before = revision(place, "web")
    bad = service("web", port, **more, environment={"BROKEN": broken})
    bad["x-midair"]["rollout"] = {"progress_deadline": "4s"}
    place.write(compose(web=bad))
    # A POST or a WebSocket inside a process that dies can't be saved; everything that may be repeated is.
    users = USERS if broken != "dies" else {**USERS, "post": 0, "ws": 0}
    with place.load(port, **users):
        done = place.midair("up", expect=3)
        assert revision(place, "web") == before
        assert place.service("web").serving == 3
        place.write(compose(web=service("web", port, **more)))
        assert place.midair("up", expect=0).out.startswith("nothing to do\n")
    place.nothing_was_lost()
    assert "error: change 2 rolled back: " in done.err
    assert reason in done.err
    if broken == "exits":
        assert "cannot find the shop's database" in done.err  # its last words


def test_two_services_change_together_and_both_come_back_when_the_second_fails(place):
    ports = {"api": free_port(), "web": free_port()}
    for name in ports:
        place.app("asgi", name)
    place.write(compose(**{name: service(name, port, replicas=2) for name, port in ports.items()}))
    place.midair("up", expect=0)
    before = {name: revision(place, name) for name in ports}
    place.edit("api/app.py", '"v1"', '"v2"')
    web = service("web", ports["web"], replicas=2, environment={"BROKEN": "exits"})
    web["depends_on"] = {"api": {"condition": "service_healthy"}}
    place.write(compose(api=service("api", ports["api"], replicas=2), web=web))
    with place.load(ports["api"], **USERS) as load, place.load(ports["web"], **USERS):
        place.midair("up", expect=3)
        assert {name: revision(place, name) for name in ports} == before
        assert all(place.service(name).serving == 2 for name in ports)
    place.nothing_was_lost()
    assert set(load.report["versions"]) == {"v1", "v2"}  # the first had changed already
    assert [change.phase for change in place.client.history("shop")] == ["rolled_back", "completed"]


def test_two_services_change_together_and_are_undone_together(place):
    ports = {"api": free_port(), "web": free_port()}
    for name in ports:
        place.app("asgi", name)
    place.write(compose(**{name: service(name, port, replicas=2) for name, port in ports.items()}))
    place.midair("up", expect=0)
    before = {name: revision(place, name) for name in ports}
    for name in ports:
        place.edit(f"{name}/app.py", '"v1"', '"v2"')
    with place.load(ports["api"], **USERS) as api, place.load(ports["web"], **USERS) as web:
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
        assert {name: revision(place, name) for name in ports} == before
    place.nothing_was_lost()
    assert all(set(load.report["versions"]) == {"v1", "v2"} for load in (api, web))


def test_undo_takes_as_long_as_one_start(place):
    port = free_port()
    place.app("asgi", "web")
    slow = {"replicas": 4, "environment": {"START_S": "2"}}
    place.write(compose(web=service("web", port, together=1, monitor="1s", **slow)))
    place.midair("up", expect=0)
    place.edit("web/app.py", '"v1"', '"v2"')
    place.write(compose(web=service("web", port, together=4, monitor="100ms", **slow)))
    place.midair("up", expect=0)
    with place.load(port, get=2, new=1, post=1, idle=1) as load:
        done = place.midair("undo", expect=0)
    place.nothing_was_lost()
    assert "4 of 4 at a time, start-first, no monitor: it has passed before" in done.out
    assert set(load.report["versions"]) == {"v1", "v2"}
    change = place.client.history("shop")[0]
    moments = {}
    for event in place.client.events("shop"):
        if event.change == change.id:
            moments.setdefault(event.kind, {})[event.replica] = event.at
    started, ready = moments["replica-started"], moments["replica-ready"]
    longest = max(ready[replica] - started[replica] for replica in started)
    assert len(started) == 4
    assert max(ready.values()) - change.created_at <= 1.2 * longest


def test_a_second_up_takes_over_in_the_middle_of_the_first(place):
    port = free_port()
    place.app("asgi", "web")
    write = {"together": 1, "drain": "2500ms"}
    place.write(compose(web=service("web", port, **write)))
    place.midair("up", expect=0)
    with place.load(port, **USERS) as load:
        place.edit("web/app.py", '"v1"', '"v2"')
        first = place.begin("up")
        until(lambda: len({replica.id.split("/")[1] for replica in place.replicas("web")}) == 2)
        place.edit("web/app.py", '"v2"', '"v3"')
        place.midair("up", expect=0)
        _, complaint = first.communicate(timeout=60)
        assert first.returncode == 1
        assert "superseded" in complaint
        place.midair("undo", expect=0)
    place.nothing_was_lost()
    assert place.service("web").serving == 3
    assert {"v1", "v3"} <= set(load.report["versions"])
    history = place.client.history("shop")
    assert [change.phase for change in history] == ["completed", "completed", "superseded", "completed"]


def test_the_very_first_up_may_fail_and_leaves_nothing(place):
    port = free_port()
    place.app("asgi", "web")
    place.write(compose(web=service("web", port, environment={"BROKEN": "exits"})))
    done = place.midair("up", expect=3)
    assert "    cannot find the shop's database" in done.err.splitlines()
    assert place.status().services == ()
    place.write(compose(web=service("web", port)))
    assert place.midair("up", expect=0).out.splitlines()[-2].startswith("done ")


def until(fact, timeout=20.0):
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout
    while not fact():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)
