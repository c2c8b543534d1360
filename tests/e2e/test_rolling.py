"""Real apps roll through real changes under the load client: nothing fails, and both counts agree."""

import pytest
from tests.e2e.place import free_port
from tests.e2e.shop import COMMANDS, compose, service

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

EVERYTHING = {"get": 2, "idle": 2, "new": 1, "post": 1, "slow": 2, "stream": 1}
# Streams of 5 seconds make every change wait for them; one of the two apps shows that, the other is quicker.
LONGEST = {"asgi": {"parts": 50}, "wsgi": {"parts": 20}}
DRAIN = {"asgi": "6s", "wsgi": "3s"}


def write(place, port, **changes):
    place.write(compose(web=service("web", port, **changes)))


@pytest.mark.parametrize("app", ["asgi", "wsgi"])
def test_five_revisions_of_three_replicas_roll_through(place, app):
    port = free_port()
    place.app(app, "web")
    how = {"app": app, "drain": DRAIN[app]}
    write(place, port, **how)
    place.midair("up", expect=0)
    sockets = {"ws": 3} if app == "asgi" else {}
    with place.load(port, **EVERYTHING, **sockets, options=LONGEST[app]) as load:
        place.edit("web/app.py", '"v1"', '"v2"')  # code
        place.midair("up", expect=0)
        write(place, port, **how, environment={"COLOUR": "green"})
        place.midair("up", expect=0)
        write(place, port, **how, environment={"COLOUR": "green"}, command=COMMANDS[app] + " --log-level warning")
        place.midair("up", expect=0)
        place.edit("web/app.py", '"v2"', '"v3"')
        write(place, port, **how, together=2)  # code, command and environment, two at a time
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
        assert place.service("web").serving == 3
    place.nothing_was_lost()
    assert {"v1", "v2", "v3"} <= set(load.report["versions"])
    assert set(load.report["closes"]) <= {"1000", "1012"}
    assert load.report["closes"].get("1012", 0) >= 5 * bool(sockets)


def test_a_service_is_exchanged_for_another_on_the_same_port(place):
    port = free_port()
    for name in ("web", "shop"):
        place.app("asgi", name)
    place.edit("shop/app.py", '"v1"', '"v2"')
    write(place, port)
    place.midair("up", expect=0)
    with place.load(port, get=2, new=2, post=1, idle=2, slow=1, stream=1) as load:
        place.write(compose(shop=service("shop", port)))
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
        place.write(compose(shop=service("shop", port, environment={"BROKEN": "exits"})))
        place.midair("up", expect=3)
    place.nothing_was_lost()
    assert {"v1", "v2"} <= set(load.report["versions"])


def test_one_at_a_time_never_has_fewer_replicas_than_wanted(place):
    port = free_port()
    place.app("asgi", "web")
    write(place, port, together=1, drain="2500ms")
    place.midair("up", expect=0)
    with place.load(port, get=2, post=1, idle=2, slow=1):
        place.edit("web/app.py", '"v1"', '"v2"')
        changing = place.begin("up")
        serving = []
        while changing.poll() is None:
            serving.append(place.service("web").serving)
        assert changing.communicate()[0].splitlines()[-1].startswith("done")
    assert min(serving) == 3
    assert max(serving) == 4
    place.nothing_was_lost()


def test_one_replica_is_replaced_by_its_successor_first(place):
    port = free_port()
    place.app("asgi", "web")
    write(place, port, replicas=1)
    place.midair("up", expect=0)
    with place.load(port, get=2, idle=1, new=1, post=1, slow=1, ws=1) as load:
        place.edit("web/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
        assert load.is_on()
    place.nothing_was_lost()
    assert set(load.report["versions"]) == {"v1", "v2"}
    assert load.report["by_kind"]["get"]["slowest_s"] < 1.0


def test_requests_wait_while_one_that_cannot_run_twice_is_replaced(place):
    port = free_port()
    place.app("asgi", "web")
    write(place, port, replicas=1, order="stop-first", drain="2500ms")
    place.midair("up", expect=0)
    with place.load(port, get=3, idle=1, new=1, post=1, slow=1, ws=1) as load:
        for before, after in (("v1", "v2"), ("v2", "v3")):
            place.edit("web/app.py", f'"{before}"', f'"{after}"')
            place.midair("up", "--yes", expect=0)
        place.midair("undo", "--yes", expect=0)
    place.nothing_was_lost()
    assert set(load.report["versions"]) == {"v1", "v2", "v3"}
    assert load.report["by_kind"]["get"]["slowest_s"] > 0.1  # they did wait


def test_three_become_six_and_then_two(place):
    port = free_port()
    place.app("asgi", "web")
    write(place, port)
    place.midair("up", expect=0)
    with place.load(port, get=3, idle=2, new=1, post=1, slow=2, ws=4) as load:
        place.midair("scale", "web=6", expect=0)
        assert place.service("web").serving == 6
        place.midair("scale", "web=2", expect=0)
        assert len(place.replicas("web")) == 2
        place.midair("undo", expect=0)
        assert place.service("web").serving == 6
        write(place, port, replicas=3, environment={"COLOUR": "green"})
        place.midair("up", expect=0)
    place.nothing_was_lost()
    assert set(load.report["closes"]) <= {"1000", "1012"}


def test_restart_replaces_every_process_under_load(place):
    port = free_port()
    place.app("asgi", "web")
    (place.folder / "job.py").write_text("import pathlib\nwith pathlib.Path('runs').open('a') as f: f.write('x')\n")
    job = {"command": "python job.py", "restart": "no"}
    place.write(compose(web=service("web", port, together=1, monitor="300ms"), migrate=job))
    place.midair("up", expect=0)
    before = {replica.id: replica.pid for replica in place.replicas("web")}
    revision = place.service("web").revision
    with place.load(port, get=2, new=1, post=1, idle=1, ws=1, slow=1):
        done = place.midair("restart", "--why", "memory grows", expect=0)
        after = {replica.id: replica.pid for replica in place.replicas("web")}
    place.nothing_was_lost()
    assert len(after) == 3
    assert not set(before.values()) & set(after.values())
    assert place.service("web").revision == revision
    assert "(restart) changed  replace  every replica is replaced by one of the same revision" in done.out
    assert "has completed for this revision, is not run again" in done.out
    assert ", 0 lost" in done.out.splitlines()[-1]
    assert (place.folder / "runs").read_text() == "x"
    place.midair("restart", "migrate", expect=0)
    assert (place.folder / "runs").read_text() == "xx"
    history = place.client.history("shop")
    assert [(change.kind, change.summary) for change in history[:2]] == [
        ("restart", "migrate restarted"),
        ("restart", "web restarted"),
    ]
    assert "a restart changes nothing that could be taken back" in place.midair("undo", "2", expect=1).err
    assert "no such service" in place.midair("restart", "web_", expect=2).err
    assert place.midair("up", expect=0).out.startswith("nothing to do\n")
