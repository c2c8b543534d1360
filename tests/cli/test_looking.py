"""What the reading commands print."""

import json

import pytest
from tests.cli import views
from tests.cli.fake_daemon import Stream

from midair.view.log import LogLine


@pytest.fixture
def shop(daemon):
    """A shop in the middle of a change."""
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (views.summary(str(daemon.home.parent)),),
        "GET /v1/projects/shop": views.project(),
        "GET /v1/projects/shop/changes": (views.change(), views.change("rolled_back", id=1, undoes=None)),
        "GET /v1/projects/shop/events": views.story([views.ended("completed")]),
        "GET /v1/projects/shop/logs": Stream(("line", LogLine(f"web/{views.NEW}/0", text)) for text in ("hello", "")),
    }
    return daemon


READING = {
    "status": ("status",),
    "status --all": ("status", "--all"),
    "ps": ("ps",),
    "ps api": ("ps", "api"),
    "history": ("history",),
    "events": ("events",),
    "logs": ("logs", "web"),
}


@pytest.mark.parametrize("name", READING)
def test_golden_output(shop, midair, golden, name):
    if "--all" in name:
        shop.answers["GET /v1/projects"] = (views.summary("/srv/shop"), views.summary("/srv/blog"))
    code, out, err = midair(*READING[name])
    assert (code, err) == (0, "")
    golden(name.replace(" --", " ").replace(" ", "-"), out)


@pytest.mark.parametrize("name", READING)
def test_every_reading_command_prints_json_lines(shop, midair, name):
    code, out, err = midair(*READING[name], "--json")
    assert (code, err) == (0, "")
    assert all(json.loads(line) for line in out.splitlines())


def test_the_project_is_found_by_its_folder(shop, midair):
    assert midair("status")[1].startswith("shop  18,204 requests accepted, 0 lost")
    assert shop.asked[0][0] == "GET /v1/projects"


def test_the_project_may_be_named_before_or_after_the_command(shop, midair):
    shop.answers["GET /v1/projects"] = ()
    assert midair("-p", "shop", "ps")[0] == midair("ps", "-p", "shop")[0] == 0


def test_without_a_file_the_hint_names_the_projects_there_are(shop, midair):
    shop.answers["GET /v1/projects"] = (views.summary("/elsewhere"),)
    code, out, err = midair("status")
    assert (code, out) == (2, "")
    assert "hint: say which project with -p: shop" in err


def test_no_colour_where_there_is_no_terminal(shop, midair):
    assert "\x1b" not in midair("status")[1]


def test_events_of_one_change_only(shop, midair):
    assert midair("events", "--change", "3")[1] == ""
