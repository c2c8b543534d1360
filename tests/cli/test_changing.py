"""What the changing commands say while they work, when they end, and with which exit code."""

import base64
import json
import shutil
import subprocess

import pytest
from msgspec.structs import replace
from tests.cli import views
from tests.cli.fake_daemon import Stream

from midair import errors
from midair.cli.commit import commit_of
from midair.model.plan import PlanStep
from midair.view.daemon import Done
from midair.view.log import LogLine

COMPOSE = """\
name: shop
services:
  web:
    command: python -m http.server $$PORT
    ports: ["8000:8000"]
"""


@pytest.fixture
def shop(daemon):
    """A project file here, and a control plane that accepts everything."""
    (daemon.home.parent / "compose.yaml").write_text(COMPOSE)
    accepted = Stream([("accepted", views.change())])
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (views.summary(str(daemon.home.parent)),),
        "GET /v1/projects/shop": views.project(),
        "POST /v1/projects/shop/plan": views.plan(),
        "POST /v1/projects/shop/undo-plan": views.plan(),
        "POST /v1/projects/shop/changes": accepted,
        "POST /v1/projects/shop/undo": accepted,
        "POST /v1/projects/shop/scale": accepted,
        "POST /v1/projects/shop/down": accepted,
        "GET /v1/projects/shop/logs": Stream((("line", LogLine(f"web/{views.NEW}/0", "no database")),)),
    }
    ends(daemon, "completed")
    return daemon


def ends(daemon, phase, reason="", *before):
    """The change ends like this."""
    daemon.answers["GET /v1/projects/shop/events"] = views.story([*before, views.ended(phase, reason)])
    daemon.answers["GET /v1/projects/shop/changes/2"] = views.change(phase, reason=reason)
    daemon.answers["GET /v1/projects/shop/changes"] = (views.change(phase), views.change("completed", id=1))


CHANGING = {"up": ("up",), "undo": ("undo",), "scale": ("scale", "web=3"), "down": ("down",)}


@pytest.mark.parametrize("name", ["up", "undo", "scale"])
def test_a_change_carries_its_reason(shop, midair, name):
    midair(*CHANGING[name], "--why", "orders are slow")
    assert [body["why"] for _, _, body in shop.asked if body and body.get("token")] == ["orders are slow"]


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_up_reports_the_git_commit(shop, midair):
    folder = shop.home.parent
    identity = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    for words in (("init", "-q"), ("add", "compose.yaml"), (*identity, "commit", "-qm", "Begin")):
        subprocess.run(("git", "-C", str(folder), *words), check=True)
    clean = commit_of(str(folder))
    assert len(clean) == 7
    (folder / "compose.yaml").write_text(COMPOSE + "\n")
    midair("up")
    asked = [body for name, _, body in shop.asked if name == "POST /v1/projects/shop/changes"]
    assert [body["project"]["commit"] for body in asked] == [f"{clean}-dirty"]


def test_no_checkout_means_no_commit(tmp_path, monkeypatch):
    assert commit_of(str(tmp_path)) == ""
    monkeypatch.setenv("PATH", "")
    assert commit_of(str(tmp_path)) == ""


@pytest.mark.parametrize("name", CHANGING)
def test_golden_output_of_a_change_that_works(shop, midair, golden, name):
    code, out, err = midair(*CHANGING[name])
    assert (code, err) == (0, "")
    golden(f"change-{name}", out)


def test_golden_output_of_the_very_first_up(shop, midair, golden):
    step = PlanStep("web", "add", None, after=views.NEW, how="3 replicas", replicas_after=3)
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(steps=(step,))
    golden("change-first", midair("up")[1])


def test_golden_output_of_a_change_that_goes_back(shop, midair, golden):
    new = f"web/{views.NEW}/0"
    failed = views.event(18, "replica-failed", f"{new} failed: exited with 1", 4.0, replica=new, reason="exited with 1")
    back = views.event(
        18, "phase-changed", "web progressing → rolling back: exited with 1", 4.1, before="progressing",
        after="rolling_back", reason="exited with 1",
    )  # fmt: skip
    ends(shop, "rolled_back", f"{new} exited with 1", failed, back)
    code, out, err = midair("up")
    assert code == 3
    golden("change-back", f"{out}--- stderr\n{err}")


@pytest.mark.parametrize(("phase", "code"), [("completed", 0), ("rolled_back", 3), ("superseded", 1), ("stuck", 1)])
def test_the_exit_code_says_how_it_ended(shop, midair, phase, code):
    ends(shop, phase)
    assert midair("up")[0] == code
    assert midair("up", "--json")[0] == code


@pytest.mark.parametrize("name", CHANGING)
def test_lost_answer_does_not_lose_the_change(shop, midair, name):
    def hang_up(body):
        token = json.loads(body)["token"]
        shop.answers["GET /v1/projects/shop/changes"] = (views.change(id=3), views.change(token=token))
        return Stream()

    what = "changes" if name == "up" else name
    shop.answers[f"POST /v1/projects/shop/{what}"] = hang_up
    code, out, err = midair(*CHANGING[name])
    assert (code, err) == (0, "")
    assert "done" in out


def test_answer_that_never_comes_is_an_error_without_the_change(shop, midair):
    shop.answers["POST /v1/projects/shop/scale"] = Stream()
    code, _out, err = midair("scale", "web=3")
    assert code == 1
    assert "the daemon went away before it agreed" in err


def test_stuck_change_says_what_it_waits_for(shop, midair):
    ends(shop, "rolling_back")
    shop.answers["GET /v1/projects/shop/changes/2"] = replace(
        views.change("stuck"), ended_at=None, reason='service "web": it died', waits_for='service "job": not ready'
    )
    code, _out, err = midair("up")
    assert code == 1
    assert 'change 2 stuck: service "job": not ready (it rolls back because of service "web": it died)' in err
    assert "hint: fix what it waits for" in err


def test_json_is_the_plan_the_events_and_the_change_a_line_each(shop, midair):
    _code, out, _err = midair("up", "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["plan", *["event"] * 8, "change"]
    assert lines[-1]["change"]["tally"]["lost"] == 0


def test_detached_says_how_to_look_again(shop, midair):
    code, out, _err = midair("up", "--detach")
    assert code == 0
    assert out.splitlines()[-1] == "change 2 goes on; see it with midair watch, take it back with midair undo"
    assert json.loads(midair("up", "-d", "--json")[1].splitlines()[-1]) == {"type": "accepted", "id": 2}


def test_golden_output_of_a_plan(shop, midair, golden):
    code, out, err = midair("plan")
    assert (code, err) == (0, "")
    golden("plan", out)


def test_a_plan_can_tell_a_script_that_changes_are_pending(shop, midair):
    assert midair("plan", "--exit-code")[0] == 2
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(steps=())
    assert midair("plan", "--exit-code")[0] == 0


@pytest.mark.parametrize(("phase", "code"), [("completed", 0), ("rolled_back", 3)])
def test_a_second_up_stays_with_the_change_that_is_under_way(shop, midair, phase, code):
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(steps=(), warnings=())
    ends(shop, phase)
    found, out, _err = midair("up")
    assert found == code
    assert "change 2 is on its way there:" in out
    assert not any(what == "POST /v1/projects/shop/changes" for what, _, _ in shop.asked)


def test_repeated_warnings_are_counted_by_up_alone(shop, midair):
    text = "web has no health check"
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(repeated=(text,))
    _, out, _err = midair("up")
    assert text not in out
    assert "1 warning as before: midair plan\n" in out
    assert f"warning: {text}\n" in midair("plan")[1]
    assert f"warning: {text}\n" in midair("undo")[1]


def test_what_users_would_notice_needs_a_yes(shop, midair):
    shop.answers["POST /v1/projects/shop/plan"] = views.risky_plan()
    code, out, err = midair("up")
    assert code == 4
    assert err.splitlines() == [
        "error: cannot apply the plan: 1 user-visible effect needs confirmation",
        "hint: pass --yes",
    ]
    assert "confirm: api may be away for 12s [gap]" in out
    assert midair("up", "--yes")[0] == 0
    [applied] = [body for what, _, body in shop.asked if what == "POST /v1/projects/shop/changes"]
    assert applied["confirmed"] is True
    assert (applied["digest"], applied["by"]) == ("d1", "ann")


def test_a_refused_plan_touches_nothing(shop, midair):
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(refusals=("web: privileged needs docker", "api: no"))
    code, _out, err = midair("up", "--yes")
    assert code == 2
    assert err.count("error: cannot apply the plan: ") == 2
    assert not any(what.endswith("/changes") for what, _, _ in shop.asked)


def test_the_plan_of_what_cannot_be_done_says_so_in_its_exit_code(shop, midair):
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(refusals=("web: privileged needs docker",))
    assert midair("plan")[0] == 2


def test_nothing_to_do_is_no_change(shop, midair):
    shop.answers["POST /v1/projects/shop/plan"] = views.plan(steps=(), warnings=())
    shop.answers["GET /v1/projects/shop"] = replace(views.project(), change=views.change("completed"))
    code, out, err = midair("up")
    assert (code, out, err) == (0, "nothing to do\n", "")
    assert not any(what.endswith("/changes") for what, _, _ in shop.asked)


@pytest.mark.parametrize(
    ("line", "said"),
    [("down", "nothing of shop runs"), ("scale web=3 api=1", "web has 3 replicas, api has 1 replica already")],
)
def test_what_makes_no_difference_is_said_to_be_nothing(shop, midair, line, said):
    command = line.split()[0]
    shop.answers[f"POST /v1/projects/shop/{command}"] = Stream([("accepted", views.change("rolled_back"))])
    assert midair(*line.split()) == (0, f"nothing to do: {said}\n", "")
    assert json.loads(midair(*line.split(), "--json")[1])["type"] == "nothing"


def test_an_undo_that_makes_no_difference_is_not_asked_for(shop, midair):
    shop.answers["POST /v1/projects/shop/undo-plan"] = views.plan(steps=(), warnings=())
    shop.answers["GET /v1/projects/shop"] = replace(views.project(), change=views.change("completed"))
    assert midair("undo", "1") == (0, "nothing to do\n", "")
    assert not any(what == "POST /v1/projects/shop/undo" for what, _, _ in shop.asked)


def test_down_can_forget_what_came_down(shop, midair):
    shop.answers["POST /v1/projects/shop/forget"] = Done("forgotten", ("removed shared db.sqlite3 (8.2 kB)",))
    code, out, err = midair("down", "--forget")
    assert (code, err) == (0, "")
    assert out.splitlines()[-2] == "removed shared db.sqlite3 (8.2 kB)"
    assert out.splitlines()[-1] == "forgot shop: its history, releases and logs are gone"
    assert json.loads(midair("down", "--forget", "--json")[1].splitlines()[-1]) == {
        "type": "forgotten", "project": "shop", "removed": ["removed shared db.sqlite3 (8.2 kB)"],
    }  # fmt: skip


def test_forgetting_prints_each_volume_by_name(shop, midair):
    shop.answers["POST /v1/projects/shop/forget"] = Done("forgotten", ("removed volume 0a1b (db: /data)",))
    assert midair("down", "--forget")[1].splitlines()[-2] == "removed volume 0a1b (db: /data)"


def test_down_forgets_nothing_that_did_not_come_down(shop, midair):
    ends(shop, "stuck")
    assert midair("down", "--forget")[0] == 1
    assert midair("down", "--forget", "--detach")[0] == 2
    assert not any(what.endswith("/forget") for what, _, _ in shop.asked)


def test_a_change_that_takes_too_long_goes_on_alone(shop, midair):
    shop.answers["GET /v1/projects/shop/events"] = events = views.story([])
    events.ends = False
    code, _out, err = midair("up", "--timeout", "0.3")
    assert code == 1
    assert "it goes on after 0.3 s" in err


@pytest.mark.parametrize("error", [errors.NotFound, errors.Conflict, errors.BuildTrouble, errors.StoreTrouble])
def test_errors_of_the_control_plane_keep_their_exit_code_and_hint(shop, midair, error):
    shop.answers["POST /v1/projects/shop/scale"] = error("cannot scale: because", hint="try again")
    assert midair("scale", "web=3") == (error.exit_code, "", "error: cannot scale: because\nhint: try again\n")


def test_after_a_silence_it_says_what_it_waits_for_once(shop, midair, monkeypatch):
    monkeypatch.setattr("midair.cli.follow.SILENCE_S", 0.1)
    shop.answers["GET /v1/projects/shop/events"] = events = views.story([])
    events.ends = False
    _, out, _ = midair("up", "--timeout", "1.5")
    assert out.count("51e0aa12/2 failed: exited with 1") == 1


def test_a_control_plane_of_another_version_is_noticed(shop, midair):
    shop.answers["GET /v1/health"] = replace(views.health(), version="0.0.9")
    code, _out, err = midair("scale", "web=3")
    assert code == 0
    assert err.startswith("the control plane is midair 0.0.9, this is ")


def test_leaving_users_without_a_replica_needs_a_yes(midair, shop):
    code, _out, err = midair("scale", "web=0")
    assert (code, err) == (4, "error: cannot scale web to 0: nothing would answer users there\n"
                              "hint: pass --yes\n")  # fmt: skip
    assert "POST /v1/projects/shop/scale" not in [what for what, _, _ in shop.asked]
    assert midair("scale", "web=0", "--yes")[0] == 0


def test_plan_sends_no_contents_of_secrets(shop, midair):
    text = "services: {web: {image: x, secrets: [key]}}\nsecrets: {key: {file: key}}\n"
    (shop.home.parent / "compose.yaml").write_text("name: shop\n" + text)
    (shop.home.parent / "key").write_text("hunter2")
    assert midair("plan")[0] == 0
    sent = {what: body["project"]["captured"] for what, _, body in shop.asked if what.endswith(("/plan", "/changes"))}
    assert sent == {"POST /v1/projects/shop/plan": {}}
    assert midair("up", "-d", "--yes")[0] == 0
    (body,) = [body for what, _, body in shop.asked if what.endswith("POST /v1/projects/shop/changes")]
    assert list(body["project"]["captured"].values()) == [base64.b64encode(b"hunter2").decode()]
