"""Shared files and volumes are linked into a release, and nothing that somebody wrote is lost on the way."""

import os
import sqlite3

import pytest
from msgspec.structs import replace

from midair.errors import RuntimeTrouble
from midair.model.project import Link, Revision, Service
from midair.runtime.process import links
from midair.runtime.process.layout import Layout
from midair.runtime.process.links import make_links
from midair.runtime.process.written import note_made

SHARED = (Link("db.sqlite3"), Link("media/"))


@pytest.fixture
def layout(tmp_path):
    made = Layout(tmp_path / "home", "shop")
    made.make()
    return made


def revision(release, *made, earlier=()):
    return Revision("0123abcd", Service("web", links=made or SHARED, shared_place="code"), release, earlier=earlier)


def release(layout, name, **files):
    """A release with code in it, and files that were written since."""
    place = layout.release(name)
    place.mkdir()
    (place / "app.py").write_text("code")
    (place / "app.py").chmod(0o444)
    note_made(layout, name)
    for path, text in files.items():
        file = place / path.replace("__", "/").replace("_sqlite3", ".sqlite3")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return place


def test_what_was_written_is_moved_and_found_in_every_release(layout):
    old = release(layout, "r1", db_sqlite3="data", media__a="picture")
    (old / "db.sqlite3").chmod(0o640)
    for end in ("-wal", "-shm", "-journal"):
        (old / f"db.sqlite3{end}").write_text(end)
    new = release(layout, "r2")
    for _ in range(2):
        make_links(layout, revision("r2", earlier=("r1",)), None, ())
    shared = layout.shared / "code"
    for place in (old, new):
        assert (place / "db.sqlite3").resolve() == (shared / "db.sqlite3").resolve()
        assert (place / "db.sqlite3").read_text() == "data"
        assert (place / "media" / "a").read_text() == "picture"
    assert {path.name for path in shared.iterdir()} == {
        "db.sqlite3", "db.sqlite3-wal", "db.sqlite3-shm", "db.sqlite3-journal", "media",
    }  # fmt: skip
    assert (shared / "db.sqlite3").stat().st_mode & 0o777 == 0o640


def test_a_move_in_the_same_release_leaves_the_link_there(layout):
    place = release(layout, "r1", db_sqlite3="data")
    make_links(layout, revision("r1", earlier=("r1",)), None, ())
    assert (place / "db.sqlite3").is_symlink()
    assert (place / "db.sqlite3").read_text() == "data"


@pytest.mark.parametrize("steps", range(1, 8))
def test_a_move_that_was_cut_off_is_ended_by_the_next_start(layout, monkeypatch, steps):
    old = release(layout, "r1", db_sqlite3="data", media__a="picture")
    (old / "db.sqlite3-journal").write_text("journal")
    new = release(layout, "r2")
    left = iter([True] * steps + [False])

    def cut(real):
        def step(*arguments, **fields):
            if not next(left, True):
                raise KeyboardInterrupt
            return real(*arguments, **fields)

        return step

    with monkeypatch.context() as patch:
        patch.setattr(links.Path, "rename", cut(links.Path.rename))
        patch.setattr(links.Path, "symlink_to", cut(links.Path.symlink_to))
        try:
            make_links(layout, revision("r2", earlier=("r1",)), None, ())
        except KeyboardInterrupt:
            pass
    make_links(layout, revision("r2", earlier=("r1",)), None, ())
    assert (layout.shared / "code" / "db.sqlite3-journal").read_text() == "journal"
    for place in (old, new):
        assert (place / "db.sqlite3").read_text() == "data"
        assert (place / "media" / "a").read_text() == "picture"


def test_nothing_is_moved_from_under_a_replica(layout):
    old = release(layout, "r1", db_sqlite3="data")
    release(layout, "r2")
    with pytest.raises(RuntimeTrouble, match="something still runs in its release"):
        make_links(layout, revision("r2", earlier=("r1",)), None, {"r1"})
    assert (old / "db.sqlite3").read_text() == "data"
    assert not (old / "db.sqlite3").is_symlink()
    make_links(layout, revision("r2", earlier=("r1",)), None, ())
    make_links(layout, revision("r2", earlier=("r1",)), None, {"r1", "r2"})  # once moved, it may run


def test_shared_files_begin_as_the_code_has_them(layout):
    place = release(layout, "r1", db_sqlite3="fixture", media__logo="logo")
    for path in ("db.sqlite3", "media/logo"):
        (place / path).chmod(0o444)
        os.utime(place / path, (1, 1))
    blob = layout.blobs / "blob"
    os.link(place / "db.sqlite3", blob)
    make_links(layout, revision("r1"), None, ())
    with (place / "db.sqlite3").open("a") as file:
        file.write(" and more")
    assert blob.read_text() == "fixture"
    assert (place / "media" / "logo").read_text() == "logo"
    second = release(layout, "r2", db_sqlite3="another")
    (second / "db.sqlite3").chmod(0o444)
    os.utime(second / "db.sqlite3", (1, 1))
    make_links(layout, revision("r2", earlier=("r1",)), None, ())
    assert (second / "db.sqlite3").read_text() == "fixture and more"


def test_a_file_linked_to_stored_contents_becomes_one_of_its_own(layout):
    old = release(layout, "r1", db_sqlite3="stored")
    (old / "db.sqlite3").chmod(0o444)
    os.link(old / "db.sqlite3", layout.blobs / "blob")
    make_links(layout, revision("r1", earlier=("r1",)), None, ())
    (old / "db.sqlite3").write_text("written")
    assert (layout.blobs / "blob").read_text() == "stored"


def test_what_is_in_the_way_of_a_link_and_was_written_is_kept(layout):
    release(layout, "r1", db_sqlite3="first")
    make_links(layout, revision("r1", earlier=("r1",)), None, ())
    other = release(layout, "r2", db_sqlite3="second")  # an old release that comes back
    make_links(layout, revision("r2", earlier=("r1",)), None, ())
    assert (other / "db.sqlite3").read_text() == "first"
    assert (layout.left / "r2" / "db.sqlite3").read_text() == "second"


def test_sqlite_makes_a_database_behind_a_link(layout):
    place = release(layout, "r1")
    make_links(layout, revision("r1"), None, ())
    base = sqlite3.connect(place / "db.sqlite3")
    base.execute("pragma journal_mode=wal")
    base.execute("create table t (x)")
    base.commit()
    assert {path.name for path in (layout.shared / "code").iterdir()} >= {"db.sqlite3", "db.sqlite3-wal", "media"}
    base.close()
    assert {path.name for path in place.iterdir()} == {"app.py", "db.sqlite3", "media"}


def test_a_bind_leads_to_its_folder_which_is_made(layout, tmp_path):
    bind = Link("data", source=str(tmp_path / "project" / "data"), target="./data")
    place = release(layout, "r1", data__old="code")
    make_links(layout, revision("r1", bind), None, ())
    (place / "data" / "new").write_text("x")
    assert (tmp_path / "project" / "data" / "new").read_text() == "x"
    assert (layout.left / "r1" / "data" / "old").exists()  # nobody knows whether a program has written it


def test_a_volume_is_one_for_all_services_that_name_it(layout):
    volume = Link("data/", volume="files", target="./data")
    for name in ("r1", "r2"):
        place = release(layout, name)
        make_links(layout, replace(revision(name, volume), id=name), None, ())
        (place / "data" / name).write_text("x")
    assert {path.name for path in (layout.volumes / "files").iterdir()} == {"r1", "r2"}


def test_no_link_is_made_through_a_link(layout, tmp_path):
    place = release(layout, "r1")
    (tmp_path / "outside").mkdir()
    (place / "data").symlink_to(tmp_path / "outside")
    with pytest.raises(RuntimeTrouble, match=r'"data" is a link of the code'):
        make_links(layout, revision("r1", Link("data/db.sqlite3")), None, ())
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_service_owns_the_folder_of_its_database(layout):
    from midair.runtime.process.user import User

    release(layout, "r1")
    make_links(layout, revision("r1", Link("var/db.sqlite3")), User(12345, 12345), ())
    folder = layout.shared / "code" / "var"
    assert (folder.stat().st_uid, (layout.release("r1") / "var").stat().st_uid) == (12345, 12345)
