"""Compose stacks as people have them, with real servers: changed in every way under load, outside and inside."""

import pytest

pytestmark = [pytest.mark.stacks, pytest.mark.timeout(600)]


def failures(reports):
    return {users: report["failures"] for users, report in reports.items() if report["failed"]}


def test_changes_and_undo_lose_nothing(stack):
    stack.up()
    change_and_undo(stack)
    break_in_every_way(stack)
    answer_with_errors(stack)


def change_and_undo(stack):
    place = stack.place
    with stack.load() as reports:
        place.edit(*stack.users["code"])
        assert "0 lost" in stack.up().out
        stack.set(COLOUR="blue")
        assert "0 lost" in stack.up().out
        assert "0 lost" in place.midair("undo", expect=0).out
        assert "0 lost" in place.midair("undo", expect=0).out
    assert failures(reports) == {}
    assert set(reports["outside"]["versions"]) == {"v1", "v2"}
    assert place.client.counts("shop").total.lost == 0


def break_in_every_way(stack):
    stack.hurry()
    with stack.load() as reports:
        for way in stack.users["broken"]:
            with stack.broken(way):
                stack.up(expect=1 if way == "build" else 3)
    # A POST inside a replica that dies is not sent to another: it is lost, and counted.
    failed = sum(report["failed"] for report in reports.values())
    assert stack.place.client.counts("shop").total.lost == failed
    assert failed <= 1, failures(reports)


def answer_with_errors(stack):
    """Errors of the app are its answers: they are counted as such, and are no loss."""
    lost = stack.place.client.counts("shop").total.lost
    stack.set(BROKEN="errors")
    with stack.load() as reports:
        stack.up()
    failed = sum(report["failed"] for report in reports.values())
    # Callers outside the project find a container by its container_name, past the router, while nothing is changed.
    past = sum(report["failed"] for users, report in reports.items() if stack.users.get("past", "\0") in users)
    counts = stack.place.client.counts("shop")
    answers = [count.counters["status_5xx"] for count in counts.services if count.service == stack.users["app"]]
    assert failed > 0
    assert failed - past <= sum(answers) <= failed
    assert counts.total.lost == lost


def test_project_of_docker_compose_is_adopted_under_load(stack):
    stack.compose_up()
    stack.set(COLOUR="blue")
    with stack.load() as adopting:
        stack.up()
    with stack.load() as reports:
        stack.set(COLOUR="red")
        stack.up()
        stack.place.midair("undo", expect=0)
    assert failures(reports) == {}
    stack.place.midair("undo", "1", expect=0)
    # Connections that were made before lead straight to Compose's container: a query that is inside as it stops is cut.
    databases = {users: report["failed"] for users, report in adopting.items() if users.startswith("/callers.py")}
    assert max(databases.values(), default=0) <= 1, failures(adopting)
