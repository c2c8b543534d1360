"""What the reading commands print."""

import json

import click
import pytest
from msgspec.structs import replace
from tests.cli import views
from tests.cli.fake_daemon import Stream

from midair.cli import out, story, when
from midair.errors import NotFound, UsageRefused
from midair.view.flag import FlagChangeView, FlagSetView, FlagView
from midair.view.log import LogLine
from midair.view.status import RevisionView, ServiceView


@pytest.fixture
def shop(daemon):
    """A shop in the middle of a change."""
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (views.summary(str(daemon.home.parent)),),
        "GET /v1/projects/shop": views.project(),
        "GET /v1/projects/shop/changes": (
            views.change(),
            views.change("rolled_back", id=1, undoes=None, commit="3f2a9c1-dirty", why="search is slow"),
        ),
        "GET /v1/projects/shop/events": views.story([views.ended("completed")]),
        "GET /v1/projects/shop/counts": views.counts(),
        "GET /v1/projects/shop/logs": Stream(("line", LogLine(f"web/{views.NEW}/0", text)) for text in ("hello", "")),
    }
    return daemon


READING = {
    "status": ("status",),
    "status --all": ("status", "--all"),
    "ps": ("ps",),
    "ps api": ("ps", "api"),
    "history": ("history",),
    "counts": ("counts",),
    "counts --replicas": ("counts", "web", "--replicas"),
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


def test_names_that_are_long_stay_apart_and_aligned(shop, midair):
    long = [
        views.event(11, "replica-ready", f"{name}/{views.NEW}/0 ready", 1.0, service=name) for name in ("db", "x" * 9)
    ]
    lines = [story.tell(event, views.NOW, width=out.label_width(["db", "x" * 9])) for event in long]
    assert [click.unstyle(line).index(views.NEW) for line in lines] == [10, 10]
    assert out.line("x" * 9, "ready") == "xxxxxxxxx ready"


def test_what_no_request_comes_to_is_running_or_completed(shop, midair):
    def service(name, state):
        one = RevisionView(views.NEW, "goal", (views.replica(name, views.NEW, 0, state),))
        return ServiceView(name, "completed", revision=views.NEW, wanted=1, ready=1, revisions=(one,))

    shop.answers["GET /v1/projects/shop"] = replace(
        views.project(),
        services=(service("worker", "ready"), service("migrate", "completed"), service("bad", "failed")),
    )
    lines = midair("status")[1].splitlines()
    assert "worker  1 of 1 running" in lines
    assert "migrate  completed" in lines
    assert "bad  0 of 1 running" in lines
    assert not any("% of requests" in line for line in lines)


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
    shop.answers["GET /v1/projects/shop/changes/3"] = views.change()
    assert midair("events", "--change", "3")[1] == ""


@pytest.mark.parametrize("options", [(), ("-f",)])
def test_events_of_an_unknown_change_are_refused(shop, midair, options):
    shop.answers["GET /v1/projects/shop/changes/99"] = NotFound("cannot find change 99")
    message = "error: cannot show events: change 99 does not exist\nhint: see midair history\n"
    assert midair("events", "--change", "99", *options) == (2, "", message)


def test_what_a_canary_waits_for_is_said(shop, midair):
    step = "step 2 of 4: waits for midair promote web"
    web, api = views.project().services
    shop.answers["GET /v1/projects/shop"] = project = replace(views.project(), services=(replace(web, step=step), api))
    assert f"progressing: {step}" in midair("status")[1]
    assert ("web", step) in list(story.waiting(project))


def test_a_project_that_is_down_says_what_can_be_done(shop, midair):
    shop.answers["GET /v1/projects/shop"] = replace(views.project(), services=())
    assert midair("status")[1].splitlines()[-1].startswith("nothing runs; midair up or midair undo starts it again")


def test_a_service_that_is_not_there_is_not_listed(shop, midair):
    assert midair("ps", "wbe") == (
        2, "", 'error: cannot list "wbe": project "shop" has no such service now\nhint: use one of web, api\n'
    )  # fmt: skip


def test_logs_show_when_each_line_was_printed(shop, midair):
    lines = (LogLine("web/7f3a91c2/0", "hello", time=1_800_000_000.25), LogLine("web/7f3a91c2/0", "of before"))
    shop.answers["GET /v1/projects/shop/logs"] = Stream(("line", line) for line in lines)
    assert midair("logs", "-t")[1].splitlines() == [
        "web/7f3a91c2/0 | 2027-01-15T08:00:00.250000Z hello",
        f"web/7f3a91c2/0 | {'':27} of before",
    ]


def test_since_is_a_duration_or_a_time(monkeypatch):
    monkeypatch.setattr(when.time, "time", lambda: 1_800_000_000.0)
    assert when.since("1m30s") == 1_800_000_000.0 - 90
    assert when.since("2027-01-15T08:00:00Z") == 1_800_000_000.0
    assert when.since("2027-01-15T09:00:00+01:00") == 1_800_000_000.0
    for text in ("", "yesterday", "10", "-5m"):
        with pytest.raises(UsageRefused, match="should be a duration such as 10m"):
            when.since(text)


@pytest.mark.parametrize("words", [("history", "-n", "0"), ("flag", "history", "-n", "0")])
def test_none_of_several_changes_is_not_none_at_all(shop, midair, words):
    change = FlagChangeView(1, views.NOW, "flag", "ann", "", ("new-button on",))
    shop.answers["GET /v1/projects/shop/flags/history"] = (change,)
    code, _, err = midair(*words)
    assert (code, err) == (0, "")
    assert midair(*words[:-1], "-3")[0] == 2


def test_a_misspelt_flag_is_answered_with_the_near_one(shop, midair):
    flag = FlagView("new-button", "ENABLED", "nobody", {"variants": {}}, {})
    shop.answers["GET /v1/projects/shop/flags"] = FlagSetView("shop", "v2", (flag,))
    code, _, err = midair("flag", "get", "new-buton")
    assert (code, err) == (2, 'error: cannot find flag "new-buton": it is not in the set\nhint: use "new-button"\n')


def test_no_logs_are_said_to_be_none(shop, midair):
    shop.answers["GET /v1/projects/shop/logs"] = Stream()
    assert midair("logs") == (0, "", "no logs\n")
    assert midair("logs", "--json") == (0, "", "")


def test_a_project_that_is_down_is_listed_as_down(shop, midair):
    shop.answers["GET /v1/projects"] = (replace(views.summary("/srv/shop"), phase="completed", services=0),)
    assert midair("status", "--all")[1].splitlines()[1].split() == ["shop", "4", "of", "4", "2", "down", "/srv/shop"]
