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
