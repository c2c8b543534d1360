"""Which project a folder is: on record, moved, copied, asked for."""

import shutil

import pytest
from msgspec.structs import replace
from tests.cli import views

from midair.cli.place import folder_id, only, recorded

FILE = "services: {web: {command: serve, ports: [8000]}}"


@pytest.fixture
def app(tmp_path):
    """A folder with a project's file in it."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "compose.yaml").write_text(FILE)
    return folder


def on_record(folder, **more):
    summary = views.summary(str(folder))
    found = {"files": (f"{folder}/compose.yaml",), "folder_id": folder_id(str(folder)), "named": "folder"}
    return replace(summary, **{**found, **more})


def names(folder, *projects):
    return [summary.name for summary in recorded(f"{folder}/compose.yaml", projects)]


def test_a_moved_folder_keeps_its_project(app):
    shop = on_record(app)
    moved = app.rename(app.parent / "moved")
    assert names(moved, shop) == ["shop"]


def test_a_copy_never_takes_the_project(app):
    shop = on_record(app)
    copy = shutil.copytree(app, app.parent / "copy")
    assert names(copy, shop) == []
    shutil.rmtree(app)
    assert names(copy, shop) == []


def test_a_folder_on_record_outweighs_a_moved_one(app):
    lost = on_record(app.parent / "lost", name="lost", folder_id=folder_id(str(app)))
    assert names(app, on_record(app), lost) == ["shop"]


def test_another_file_of_the_folder_is_another_project(app):
    assert names(app, on_record(app, files=(f"{app}/metrics.yaml",))) == []


def test_of_several_projects_the_folders_name_decides(app):
    both = [on_record(app), on_record(app, name="staging", named="asked")]
    assert only(both, "shop").name == "shop"
    assert only(both) is None


@pytest.fixture
def moved(daemon, monkeypatch):
    """A control plane that knows the folder from before it was moved."""
    before = daemon.home.parent / "app"
    before.mkdir()
    (before / "compose.yaml").write_text(FILE)
    summary = on_record(before)
    after = before.rename(daemon.home.parent / "elsewhere")
    monkeypatch.chdir(after)
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (summary,),
        "GET /v1/projects/shop": views.project(),
        "POST /v1/projects/shop/plan": views.plan(),
        "POST /v1/projects/elsewhere/plan": views.plan(),
    }
    return daemon


def test_plan_and_status_agree_on_a_moved_folder(moved, midair):
    assert midair("status")[1].startswith("shop ")
    assert "this folder is project shop, moved here from" in midair("plan")[2]
    assert moved.asked[-1][0] == "POST /v1/projects/shop/plan"


def test_a_name_asked_for_outweighs_the_folder(moved, midair):
    midair("plan", "-p", "elsewhere")
    assert moved.asked[-1][0] == "POST /v1/projects/elsewhere/plan"


@pytest.mark.parametrize(
    ("words", "text"),
    [(("plan", "-p", "store"), FILE), (("plan",), FILE), (("plan",), f"name: store\n{FILE}")],
    ids=["asked", "folder", "file"],
)
def test_a_renamed_project_is_read_under_its_key(app, daemon, midair, monkeypatch, words, text):
    monkeypatch.chdir(app)
    (app / "compose.yaml").write_text(text)
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects": (on_record(app, name="store", key="shop"),),
        "POST /v1/projects/store/plan": views.plan(),
    }
    midair(*words)
    name, _, body = daemon.asked[-1]
    assert (name, body["project"]["name"]) == ("POST /v1/projects/store/plan", "shop")
    assert body["project"]["fields"]["networks"]["default"]["name"] == "shop_default"


def test_rename_says_what_is_left_to_write(app, daemon, midair):
    answer = on_record(app, name="store", key="shop", named="file")
    daemon.answers |= {"GET /v1/health": views.health(), "POST /v1/projects/shop/rename": answer}
    code, out, err = midair("rename", "shop", "store")
    assert (code, out) == (0, "shop is named store now; its volumes and networks keep their names\n")
    assert err == f"hint: write `name: store` in {app}/compose.yaml\n"
