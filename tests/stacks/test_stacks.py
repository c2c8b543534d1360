"""Compose stacks as people have them, with real servers: changed in every way under load, outside and inside."""

import pytest

pytestmark = [pytest.mark.stacks, pytest.mark.timeout(600)]


def failures(reports):
    return {users: report["failures"] for users, report in reports.items() if report["failed"]}


def test_code_environment_and_undo_lose_nothing(stack):
    stack.up()
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


@pytest.mark.timeout(900)
def test_broken_changes_are_rolled_back_without_a_loss(stack):
    stack.up()
    with stack.load() as reports:
        for way in ("exits", "hangs", "unhealthy", "dies", "migration"):
            stack.set(BROKEN=way)
            stack.up(expect=3)
        stack.set(BROKEN="")
        stack.place.edit(*stack.users["build"])
        stack.up(expect=1)
    assert failures(reports) == {}
    assert stack.place.client.counts("shop").total.lost == 0


def test_errors_of_the_app_are_counted_as_its_answers(stack):
    stack.up()
    stack.set(BROKEN="errors")
    with stack.load() as reports:
        stack.up()
    failed = sum(report["failed"] for report in reports.values())
    counts = stack.place.client.counts("shop")
    assert failed > 0
    assert sum(service.by_status.get("5xx", 0) for service in counts.services) == failed
    assert counts.total.lost == 0


def test_project_of_docker_compose_is_adopted_under_load(stack):
    stack.compose("up", "-d", "--wait")
    stack.set(COLOUR="blue")
    with stack.load() as reports:
        stack.up()
    databases = {users: report for users, report in reports.items() if users.startswith("/callers.py")}
    assert failures(databases) == {}
    with stack.load() as reports:
        stack.set(COLOUR="red")
        stack.up()
        stack.place.midair("undo", expect=0)
    assert failures(reports) == {}
    stack.place.midair("undo", "1", expect=0)
