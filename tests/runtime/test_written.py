"""What a service writes into its release is seen, and is not removed with the release."""

import asyncio
import os
import time

import pytest
from tests.runtime.place import prepared, service

from midair.runtime.process import written


def write(place, path, text="x"):
    file = place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("command", [None, "mkdir -p .venv/lib && echo x > .venv/lib/a.py && echo x > made"])
def test_what_is_written_after_a_release_was_made_is_seen(harness, layout, command):
    (harness.code / "shop").mkdir()
    (harness.code / "shop" / "__init__.py").write_text("")
    (harness.code / "uploads").mkdir()
    (harness.code / "uploads" / ".gitkeep").write_text("")
    release, _ = prepared(harness, service(harness, command))
    place = layout.release(release)
    assert written.look(layout, release).files == {}
    for path in (
        "db.sqlite3", "media/a/1.png", "media/a/2.png", "media/3.png", "static/deep/x", "shop/orders.csv", "uploads/x",
        "__pycache__/app.pyc", ".cache/x", ".pytest_cache/x", "run.pid", "app.log", "app.log.1", "shop/x.pyc",
    ):  # fmt: skip
        write(place, path)
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("/etc/passwd")
    assert written.look(layout, release).files == {
        "db.sqlite3": 1, "media/": 3, "static/deep/": 1, "shop/orders.csv": 1, "uploads/": 1,
    }  # fmt: skip


def test_root_writing_into_a_file_of_the_code_is_seen(harness, layout):
    (harness.code / "db.sqlite3").write_text("empty")
    release, _ = prepared(harness, service(harness))
    file = layout.release(release) / "db.sqlite3"
    file.chmod(0o644)
    file.write_text("full")
    file.chmod(0o444)
    os.utime(file, (time.time() + 1, time.time() + 1))
    assert written.look(layout, release).files == {"db.sqlite3": 1}


def test_a_look_ends_in_time_and_says_so(harness, layout):
    release, _ = prepared(harness, service(harness))
    write(layout.release(release), "db")
    assert not written.look(layout, release, within=-1.0).is_whole
    assert written.look(layout, "nosuch").files == {}


def test_what_was_written_outlives_its_release_until_the_project_is_forgotten(harness, layout):
    async def claim():
        async with harness.open() as runtime:
            release = await runtime.prepare(service(harness), print)
            write(layout.release(release), "media/a.png", "kept")
            write(layout.release(release), "__pycache__/x.pyc")
            assert [line.split(" of ")[0] for line in await runtime.belongings()] == ["media/"]
            await runtime.prune(set())
            assert list(layout.releases.iterdir()) == list(layout.made.iterdir()) == []
            assert (layout.left / release / "media" / "a.png").read_text() == "kept"
            assert not (layout.left / release / "__pycache__").exists()
            assert await runtime.prepare(service(harness), print) == release
            write(layout.release(release), "media/a.png", "again")
            await runtime.prune(set())
            assert (layout.left / f"{release}.2" / "media" / "a.png").read_text() == "again"
            assert await runtime.belongings() == (
                f"media/ of the former release {release} (1 file, 4 B)",
                f"media/ of the former release {release}.2 (1 file, 5 B)",
            )

    asyncio.run(claim())
