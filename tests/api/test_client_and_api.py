"""Client and API together: what is asked on one side is what is done on the other."""

import json
import os
import threading
import time

import pytest
from tests.api.conftest import await_follower, beginnings, served
from tests.engine.conftest import shop, web

from midair.client import Client
from midair.client.exchange import Exchange
from midair.client.home import connect
from midair.errors import Conflict, DaemonTrouble, NeedsConfirmation, NotFound, PlanRefused, UsageRefused
from midair.model.project import Build
from midair.testing.runtime import Behaviour


def up(client, project, **more):
    """Plan and apply, and follow the change to its end."""
    change = client.apply(project, client.plan(project).digest, **more)
    return ended(client, change)


def ended(client, change):
    for event in client.events("shop", after=change.first_event - 1, follow=True):
        if event.change == change.id and event.kind == "change-ended":
            return client.change("shop", change.id)
    raise AssertionError("the stream ended before the change")


def test_health_says_who_answers(client, service):
    health = client.health()
    assert (health.projects, health.problem, health.home) == (0, "", str(service.site.home))


def test_the_main_job_through_the_client(client):
    plan = client.plan(shop())
    assert [(step.service, step.kind) for step in plan.steps] == [("web", "add")]
    assert up(client, shop()).phase == "completed"
    status = client.status("shop")
    (seen,) = status.services
    assert (seen.name, seen.phase, seen.wanted, seen.serving) == ("web", "completed", 2, 2)
    assert [replica.state for replica in seen.revisions[0].replicas] == ["serving", "serving"]
    assert up(client, shop(web("blue"))).phase == "completed"
    assert client.undo_plan("shop").steps[0].kind == "change"
    undone = ended(client, client.undo("shop", by="me"))
    assert (undone.undoes, undone.by) == (2, "me")
    assert ended(client, client.scale("shop", {"web": 3})).phase == "completed"
    history = client.history("shop")
    assert [(change.id, change.kind) for change in history] == [(4, "scale"), (3, "undo"), (2, "up"), (1, "up")]
    assert [change.can_undo for change in history] == [True, True, True, False]
    assert [line.name for line in client.projects()] == ["shop"]
    assert ended(client, client.down("shop")).phase == "completed"
    assert client.status("shop").services == ()


def test_wishes_steer_a_rollout(client, service):
    up(client, shop())
    new = client.plan(shop(web("slow"))).steps[0].after
    service.site.machine.behaviours[new] = Behaviour(ready_after_s=60.0)
    change = client.apply(shop(web("slow")), client.plan(shop(web("slow"))).digest)
    for event in client.events("shop", after=change.first_event - 1, follow=True):
        if event.kind == "replica-started":
            break
    client.wish("shop", "web", "pause")
    assert client.status("shop").services[0].paused
    with pytest.raises(Conflict, match='cannot pause "web"'):
        client.wish("shop", "web", "pause")
    client.wish("shop", "web", "resume")
    client.wish("shop", "web", "abort")
    assert ended(client, change).phase == "rolled_back"
    with pytest.raises(NotFound, match='cannot hold "wbe"') as refused:
        client.wish("shop", "wbe", "hold")
    assert refused.value.hint == 'use "web"'


def test_every_family_of_errors_comes_back_as_what_it_was(client, service):
    with pytest.raises(NotFound, match='cannot find project "nowhere"'):
        client.status("nowhere")
    with pytest.raises(Conflict, match="it is out of date"):
        client.apply(shop(), "0000")
    service.site.gate.taken[8000] = "another program has it"
    with pytest.raises(PlanRefused, match="another program has it"):
        up(client, shop())
    service.site.gate.taken.clear()
    up(client, shop())
    plan = client.plan(shop(web("blue", writable_volume=True, replicas=1)))
    if plan.confirmations:
        with pytest.raises(NeedsConfirmation):
            client.apply(shop(web("blue", writable_volume=True, replicas=1)), plan.digest)


def test_lines_of_a_build_come_while_it_runs(client):
    lines = []
    project = shop(web(build=Build("/srv/shop")))
    up(client, project, progress=lines.append)
    assert [(line.kind, line.service) for line in lines] == [("progress", "web")]


def test_stored_events_are_read_without_following(client):
    change = up(client, shop())
    events = list(client.events("shop"))
    assert (events[0].kind, events[-1].kind) == ("change-accepted", "change-ended")
    numbers = [event.number for event in events]
    assert numbers == sorted(numbers)
    assert [event.number for event in client.events("shop", after=numbers[2])] == numbers[3:]
    assert events[0].number == change.first_event


def test_a_follower_misses_nothing_when_another_daemon_takes_over(tmp_path):
    got, client = [], Client(tmp_path)
    client._await_daemon = lambda: again(client)

    def follow():
        got.extend(client.events("shop", after=0, follow=True))

    with served(tmp_path) as first:
        up(client, shop())
        reader, begun = threading.Thread(target=follow), beginnings(client)
        reader.start()
        await_follower(begun)
        begun.clear()
        first.end(comes_again=True)
    with served(tmp_path) as second:
        up(client, shop(web("blue")))
        stored = [event.number for event in client.events("shop")]
        await_follower(begun)  # else it may still be looking for a daemon when this one has gone
        second.end()
    reader.join(10)
    assert [event.number for event in got] == stored


def test_a_follower_is_let_go_when_the_daemon_is_stopped(client, service):
    up(client, shop())
    got = []
    reader = threading.Thread(target=lambda: got.extend(client.events("shop", follow=True)))
    begun = beginnings(client)
    reader.start()
    await_follower(begun)
    service.end()
    reader.join(10)
    assert not reader.is_alive()


def test_without_a_daemon_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("midair.client.transport.hint_of", lambda *_, **__: "")  # what else this machine serves
    with pytest.raises(DaemonTrouble, match="it is not running") as told:
        Client(tmp_path).health()
    assert told.value.hint == "run midair up, which starts it, or midair daemon start"


def test_logs_come_in_order_and_from_the_end(client, service, tmp_path):
    log = tmp_path / "web.log"
    log.write_text("".join(f"line {number}\n" for number in range(1000)) + "half")
    up(client, shop())
    runtime = service.engine.keeper("shop").world.runtimes["process"]
    runtime.log_files = lambda name: (("web/aa/0", str(log)),)
    assert [line.text for line in client.logs("shop", "web", tail=2)] == ["line 999", "half"]
    assert len(list(client.logs("shop"))) == 1001
    assert list(client.logs("shop", tail=0)) == []
    with pytest.raises(NotFound, match='cannot show logs of "api"'):
        list(client.logs("shop", "api"))


def stamped(second, text):
    return f"2027-01-15T08:00:{second:02}.000000Z\t{text}\n"


@pytest.fixture
def two_logs(client, service, tmp_path):
    """A replica of today's midair, one of a Docker engine, and one that an older midair started."""
    paths = [tmp_path / name for name in ("web.log", "engine-json.log", "old.log")]
    paths[0].write_text(stamped(1, "one") + stamped(3, "three") + "of three\n" + stamped(5, "five"))
    paths[1].write_text(
        '{"log":"two\\n","stream":"stderr","time":"2027-01-15T08:00:02.123456789Z"}\n'
        '{"log":"four\\n","stream":"stdout","time":"2027-01-15T08:00:04Z"}\n'
    )
    paths[2].write_text("earlier\n")
    os.utime(paths[2], (MORNING - 60, MORNING - 60))
    up(client, shop())
    printing(service, _0=paths[0], _1=paths[1], _2=paths[2])


MORNING = 1_800_000_000.0  # 2027-01-15 08:00 UTC


def texts(lines):
    return [line.text for line in lines]


def test_logs_of_replicas_are_merged_by_time(client, two_logs):
    lines = list(client.logs("shop"))
    assert texts(lines) == ["earlier", "one", "two", "three", "of three", "four", "five"]
    assert [line.time and line.time - MORNING for line in lines[:2]] == [None, 1.0]
    assert [(line.service, line.stream) for line in lines[1:3]] == [("web", ""), ("web", "stderr")]


def test_tail_of_logs_is_counted_over_all_replicas(client, two_logs):
    assert texts(client.logs("shop", tail=3)) == ["of three", "four", "five"]
    assert texts(client.logs("shop", tail=1, replica="web/aa/1")) == ["four"]


def test_logs_since_a_moment_leave_out_earlier_lines(client, two_logs):
    assert texts(client.logs("shop", since=MORNING + 2.5)) == ["three", "of three", "four", "five"]
    assert texts(client.logs("shop", since=MORNING + 2.5, tail=1)) == ["five"]
    assert "earlier" in texts(client.logs("shop", since=MORNING - 120))


def test_followed_logs_go_on_over_a_truncation(client, service, tmp_path):
    log = tmp_path / "web.log"
    log.write_text("one\n")
    up(client, shop())
    service.engine.keeper("shop").world.runtimes["process"].log_files = lambda name: (("web/aa/0", str(log)),)
    lines = client.logs("shop", follow=True)
    assert next(lines).text == "one"
    with log.open("a") as file:
        file.write("two\n")
    assert next(lines).text == "two"
    log.write_text("3\n")
    assert next(lines).text == "3"
    lines.close()


def add(log, text):
    with log.open("a") as file:
        file.write(text)


def printing(service, **logs):
    """Let the replicas of web have these log files, by ordinal."""
    files = tuple((f"web/aa/{ordinal[1:]}", str(path)) for ordinal, path in logs.items())
    service.engine.keeper("shop").world.runtimes["process"].log_files = lambda name: files


@pytest.mark.parametrize("tail", [None, 0, 1])
def test_followed_logs_go_on_where_they_were_when_another_daemon_takes_over(tmp_path, tail):
    client, got, moved = Client(tmp_path), [], threading.Event()
    first_log, second_log, late_log = (tmp_path / f"{name}.log" for name in ("first", "second", "late"))
    first_log.write_text("".join(f"line {number}\n" for number in range(100)))
    second_log.write_text("quiet\nhal")

    def follow():
        got.extend((line.replica, line.text) for line in client.logs("shop", follow=True, tail=tail))

    def again():
        add(first_log, "while away\n")
        assert moved.wait(10)

    client._await_daemon = again
    with served(tmp_path) as first:
        up(client, shop())
        printing(first, _0=first_log, _1=second_log)
        reader, begun = threading.Thread(target=follow), beginnings(client)
        reader.start()
        await_follower(begun)
        begun.clear()
        add(first_log, "before\n")
        first.end(comes_again=True)
    with served(tmp_path) as second:
        client.status("shop")
        add(second_log, "f\n")
        late_log.write_text("new here\n")
        printing(second, _0=first_log, _1=second_log, _2=late_log)
        moved.set()
        await_follower(begun)
        second.end()
    reader.join(10)
    assert not reader.is_alive()
    lines = [text for replica, text in got if replica == "web/aa/0"]
    assert lines[-2:] == ["before", "while away"]
    assert lines[:-2] == [f"line {number}" for number in range(100)][100 if tail == 0 else -(tail or 100) :]
    expected = {None: ["quiet", "half"], 0: ["f"], 1: ["half"]}[tail]
    assert [text for replica, text in got if replica == "web/aa/1"] == expected
    assert [text for replica, text in got if replica == "web/aa/2"] == ["new here"]


def test_followed_logs_end_with_the_service(client, service, tmp_path):
    up(client, shop())
    (tmp_path / "web.log").write_text("one\n")
    printing(service, _0=tmp_path / "web.log")
    lines = client.logs("shop", "web", follow=True)
    assert next(lines).text == "one"
    ended(client, client.down("shop"))
    client.forget("shop")
    assert list(lines) == []


def test_counts_are_those_of_the_router(client, service):
    up(client, shop())
    replica = service.site.living()[0]
    service.site.gate.begin(replica, 3)
    service.site.gate.end(replica, 3)
    counts = client.counts("shop")
    assert (counts.total.accepted, counts.total.answered) == (3, 3)
    assert counts.services[0].counters["status_2xx"] == 3


def test_a_long_path_of_the_home_folder_is_no_obstacle(tmp_path):
    home = tmp_path / ("deep" * 30) / ("deeper" * 20)
    home.mkdir(parents=True)
    with served(home):
        assert Client(home).health().projects == 0


def test_the_socket_is_for_its_owner_alone(service):
    assert (service.site.home / "api.sock").stat().st_mode & 0o777 == 0o600


def test_bad_bodies_are_refused_in_the_one_form_of_errors(client):
    for method, url, body, status in (
        ("POST", "/v1/projects/shop/plan", b"{", 400),
        ("POST", "/v1/projects/shop/plan", b'{"project": 1}', 400),
        ("POST", "/v1/projects/shop/plan", b'{"project": {"name": "other", "services": {}}}', 400),
        ("GET", "/v1/projects/shop/events?after=x", None, 400),
        ("GET", "/v1/health?what=now", None, 400),
        ("GET", "/v2", None, 404),
        ("POST", "/v1/health", b"{}", 405),
        ("GET", "/v1/projects/shop/changes/1e9", None, 404),
    ):
        got, answer = raw(client, method, url, body)
        error = json.loads(answer)["error"]
        assert got == status, (url, answer)
        assert error["message"].startswith("cannot "), error
        assert set(error) <= {"kind", "message", "hint", "problems"}


@pytest.mark.parametrize("path", ["changes", "flags"])
def test_refused_method_is_answered_with_all_allowed(client, path):
    up(client, shop())
    with connect(client.home / "api.sock", 10) as connection, connection.makefile("rwb") as stream:
        request = f"OPTIONS /v1/projects/shop/{path} HTTP/1.1\r\nHost: midair\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = stream.read().decode()
    assert answer.startswith("HTTP/1.1 405 ")
    assert "\r\nallow: get, head, post\r\n" in answer.lower()
    assert "the path allows GET, HEAD, POST" in answer


def test_a_number_of_any_length_is_no_obstacle_to_a_follower(client):
    up(client, shop())
    for last in ("1" + "0" * 30, "1" + "0" * 5000):
        with Exchange(client.home / "api.sock", 10) as exchange:
            assert exchange.begin("GET", "/v1/events", {"Last-Event-ID": last}, None) == 200
            assert b"event: event" not in exchange.read()


def test_wishes_that_do_not_exist_are_refused(client):
    up(client, shop())
    status, answer = raw(client, "POST", "/v1/projects/shop/services/web/wish", b'{"wish": "explode"}')
    assert status == 400
    assert "explode" in answer.decode()


def test_negative_or_endless_replica_counts_are_refused(client):
    up(client, shop())
    for number in (-1, 10_001):
        with pytest.raises(UsageRefused, match="should be 0 to 10000"):
            client.scale("shop", {"web": number})


def again(client):
    """Wait for the next daemon, and start none."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            return client.health()
        except DaemonTrouble:
            time.sleep(0.01)
    raise AssertionError("none came")


def raw(client, method, url, body):
    """Status and body of a request that no method of the client would make."""
    import http.client

    from midair.client.home import connect

    connection = http.client.HTTPConnection("midair")
    connection.sock = connect(client.home / "api.sock", 10)
    try:
        connection.request(method, url, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
