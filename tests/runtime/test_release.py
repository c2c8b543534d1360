"""A release is the code as it was, whatever happens to the directory it came from."""

import asyncio
import errno
import os
import sys
import time
from contextlib import contextmanager

import msgspec
import pytest
from tests.runtime.place import prepared, service

from midair.errors import BuildTrouble
from midair.model.action import RemoveReplica
from midair.model.project import Build, Service
from midair.runtime.process import blob
from midair.runtime.process.layout import Layout
from midair.runtime.process.release import Releases
from midair.source import reader
from midair.source.reader import Digests
from midair.source.tree import Entry, Tree


def files(folder):
    return {str(path.relative_to(folder)): path for path in folder.rglob("*")}


def test_a_release_holds_files_folders_links_and_permissions(harness, layout):
    (harness.code / "run.sh").write_text("#!/bin/sh\n")
    (harness.code / "run.sh").chmod(0o750)
    (harness.code / "empty").mkdir()
    (harness.code / "current").symlink_to("app.py")
    (harness.code / os.fsdecode(b"odd\xff name\n")).write_text("x")
    release, _ = prepared(harness, service(harness))
    made = files(layout.release(release))
    assert set(made) == {"app.py", "run.sh", "empty", "current", os.fsdecode(b"odd\xff name\n")}
    assert made["run.sh"].stat().st_mode & 0o777 == 0o550
    assert os.readlink(made["current"]) == "app.py"
    assert made["app.py"].read_text() == (harness.code / "app.py").read_text()


def test_editing_the_directory_does_not_change_a_release(harness, layout):
    release, _ = prepared(harness, service(harness))
    before = (harness.code / "app.py").read_text()
    with (harness.code / "app.py").open("r+") as file:  # in place: the same inode
        file.write("ruined")
    assert (layout.release(release) / "app.py").read_text() == before
    assert prepared(harness, service(harness))[0] != release


def test_files_of_a_release_cannot_be_written_to(harness, layout):
    for command in (None, "true"):
        release, _ = prepared(harness, service(harness, command))
        assert (layout.release(release) / "app.py").stat().st_mode & 0o222 == 0


def test_releases_share_what_is_the_same_in_them(harness, layout):
    (harness.code / "big").write_bytes(b"x" * 100_000)
    first, _ = prepared(harness, service(harness))
    harness.change_code()
    second, _ = prepared(harness, service(harness))
    one, two = ((layout.release(release) / "big").stat() for release in (first, second))
    assert one.st_ino == two.st_ino
    assert one.st_ino != (harness.code / "big").stat().st_ino


@pytest.mark.parametrize("how", ["written to", "made writable"])
def test_what_somebody_did_to_a_release_is_not_in_the_next_one(harness, layout, monkeypatch, how):
    """Root can; everybody else has to change the permissions first."""
    monkeypatch.setattr(reader, "_RACY_NS", 0)
    (harness.code / "data").write_text("as it was")
    first, _ = prepared(harness, service(harness))
    data = layout.release(first) / "data"
    data.chmod(0o644)
    if how == "written to":
        with data.open("r+") as file:  # in place, and as long as before
            file.write("otherwise")
        data.chmod(0o444)
    harness.change_code()
    second, lines = prepared(harness, service(harness))
    made = layout.release(second) / "data"
    assert (made.read_text(), made.stat().st_mode & 0o777) == ("as it was", 0o444)
    told = [line for line in lines if "written to in an earlier release" in line and line.endswith(": data")]
    assert len(told) == (how == "written to")
    harness.change_code()
    third, _ = prepared(harness, service(harness))
    assert (layout.release(third) / "data").samefile(made)


@pytest.mark.parametrize("change", ["contents", "name", "mode", "link", "folder"])
def test_every_change_makes_another_release(harness, change):
    (harness.code / "link").symlink_to("app.py")
    before, _ = prepared(harness, service(harness))
    app = harness.code / "app.py"
    if change == "contents":
        stat = app.stat()
        app.write_text(app.read_text().replace("hello", "olleh"))
        os.utime(app, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # even one that hides itself
    elif change == "name":
        app.rename(harness.code / "main.py")
    elif change == "mode":
        app.chmod(0o755)
    elif change == "link":
        (harness.code / "link").unlink()
        (harness.code / "link").symlink_to("./app.py")
    else:
        (harness.code / "empty").mkdir()
    assert prepared(harness, service(harness))[0] != before


def test_what_is_no_part_of_the_code_changes_nothing(harness):
    before, _ = prepared(harness, service(harness))
    (harness.code / ".git").mkdir()
    (harness.code / ".git" / "HEAD").write_text("x")
    (harness.code / "__pycache__").mkdir()
    (harness.code / "__pycache__" / "app.pyc").write_text("x")
    (harness.code / "compose.yaml").write_text("services: {}")
    (harness.code / "app.py").touch()
    (harness.code / "app.py").chmod(0o664)
    assert prepared(harness, service(harness))[0] == before


def test_only_releases_that_nobody_needs_are_pruned(harness, layout):
    async def claim():
        async with harness.open() as runtime:
            seen = await harness.start(runtime, harness.service("true"), until="exited")
            used = {path.name for path in layout.releases.iterdir()}
            harness.change_code()
            kept = await runtime.prepare(service(harness), print)
            harness.change_code()
            gone = await runtime.prepare(service(harness), print)
            await runtime.prune({kept})
            assert {path.name for path in layout.releases.iterdir()} == used | {kept}
            assert gone not in used
            await runtime.perform(RemoveReplica(seen.id), None)
            await runtime.prune(set())
            assert list(layout.releases.iterdir()) == []
            assert [path for path in layout.blobs.rglob("*") if path.is_file()] == []

    asyncio.run(claim())


def test_left_out_files_and_links_that_lead_away_are_told(harness):
    (harness.code / ".gitignore").write_text("*.log\nnode_modules/\n")
    (harness.code / "a.log").write_text("x")
    (harness.code / "node_modules").mkdir()
    (harness.code / "node_modules" / "x.js").write_text("x")
    (harness.code / "away").symlink_to("../elsewhere")
    (harness.code / "passwords").symlink_to("/etc/passwd")
    (harness.code / "stays").symlink_to("./app.py")
    _, lines = prepared(harness, service(harness))
    assert "web: left out: a.log, node_modules" in lines
    assert [line.split()[3] for line in lines if "warning" in line] == ["away", "passwords"]


def test_an_edit_during_the_snapshot_is_in_it_wholly_or_not_at_all(harness, layout, monkeypatch):
    """The id is that of what was copied, also when it is not what was there when the tree was listed."""
    (harness.code / "b.py").write_text("old")
    real = blob.Blobs.take_in

    def edit_then_take_in(blobs, source, mode):
        (harness.code / "b.py").write_text("new")
        return real(blobs, source, mode)

    async def claim():
        async with harness.open() as runtime:
            before = await runtime.fingerprint(service(harness))
            monkeypatch.setattr(blob.Blobs, "take_in", edit_then_take_in)
            release = await runtime.prepare(service(harness), print)
            assert release != before
            assert (layout.release(release) / "b.py").read_text() == "new"
            assert release == await runtime.fingerprint(service(harness))

    asyncio.run(claim())


def test_a_file_that_goes_away_meanwhile_is_not_missed(harness, layout, monkeypatch):
    (harness.code / "b.py").write_text("x")
    real = blob.Blobs.take_in

    def delete_then_take_in(blobs, source, mode):
        (harness.code / "b.py").unlink(missing_ok=True)
        return real(blobs, source, mode)

    monkeypatch.setattr(blob.Blobs, "take_in", delete_then_take_in)

    async def claim():
        async with harness.open() as runtime:
            release = await runtime.prepare(service(harness), print)
            assert set(files(layout.release(release))) == {"app.py"}

    asyncio.run(claim())


def test_an_unreadable_file_is_named(harness, someone_else):
    (harness.code / "secret").write_text("x")
    (harness.code / "secret").chmod(0)
    with someone_else(harness), pytest.raises(BuildTrouble, match=r'secret": permission denied'):
        prepared(harness, service(harness))


def test_an_unreadable_folder_is_named(harness, someone_else):
    (harness.code / "private").mkdir(0)
    with someone_else(harness), pytest.raises(BuildTrouble, match=r'private": permission denied'):
        prepared(harness, service(harness))


@pytest.fixture
def someone_else():
    """Root may read everything, so these tests are run as nobody."""

    @contextmanager
    def become(harness):
        mine = os.geteuid()
        if mine == 0:
            for path in (harness.home, harness.code):
                os.chown(path, 65534, -1)
            for folder in (harness.code.parent, *list(harness.code.parent.parents)[:2]):
                folder.chmod(0o711)
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(mine)
            for path in harness.code.iterdir():
                path.chmod(0o700)

    return become


def test_a_full_disk_is_told_and_leaves_nothing(harness, layout, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(blob, "copy_contents", full)
    with pytest.raises(BuildTrouble, match='cannot make a release of service "web": No space left on device'):
        prepared(harness, service(harness))
    assert list(layout.releases.iterdir()) == []
    assert list(layout.blobs.iterdir()) == []


def test_a_file_that_is_no_file_is_named(harness):
    os.mkfifo(harness.code / "pipe")
    with pytest.raises(BuildTrouble, match=r'cannot keep ".*/pipe" in a release'):
        prepared(harness, service(harness))


@pytest.mark.parametrize("context", ["nowhere", "app.py"])
def test_a_build_directory_that_is_none_is_named(harness, context):
    wanted = Service(name="web", build=Build(str(harness.code / context)), command=(sys.executable,))

    async def claim():
        async with harness.open() as runtime:
            for ask in (runtime.fingerprint(wanted), runtime.prepare(wanted, print)):
                with pytest.raises(BuildTrouble, match=context):
                    await ask
            (reason,) = await runtime.check(wanted)
            assert str(harness.code / context) in reason

    asyncio.run(claim())


def test_midairs_own_folder_is_never_part_of_a_release(harness, layout):
    wanted = Service(name="web", build=Build(str(harness.home.parent)), command=("true",))
    release, _ = prepared(harness, wanted)
    assert set(files(layout.release(release))) == {"code", "code/app.py"}


def test_the_digest_of_a_file_that_was_just_changed_is_not_relied_on(tmp_path):
    now = time.time_ns()
    old, new = (
        Entry(name, "file", 0o444, 1, mtime_ns=then, ctime_ns=then, inode=1)
        for name, then in (("old", now - 10**11), ("new", now))
    )
    tree = Tree(tmp_path, (old, new), ())
    Digests(tmp_path / "digests").keep(tree, {"old": "abc", "new": "def"})
    digests = Digests(tmp_path / "digests")
    assert (digests.of(tree, old), digests.of(tree, new)) == ("abc", None)
    for change in ({"size": 2}, {"mtime_ns": 1}, {"ctime_ns": 1}, {"inode": 2}):
        assert digests.of(tree, msgspec.structs.replace(old, **change)) is None


def test_remote_context_is_refused_with_its_reason(tmp_path):
    releases = Releases(Layout(tmp_path, "shop"))
    web = Service(name="web", build=Build(context="https://example.org/app.git"))
    with pytest.raises(BuildTrouble, match="is on another machine"):
        asyncio.run(releases.fingerprint(web))


def test_release_is_what_was_read_for_the_plan(harness, monkeypatch):
    reads = []
    real = blob.Blobs.take_in
    monkeypatch.setattr(blob.Blobs, "take_in", lambda *given: reads.append(given[1].name) or real(*given))
    wanted = service(harness)

    async def claim():
        async with harness.open() as runtime:
            planned = await runtime.fingerprint(wanted, keep=True)
            files = sum(path.is_file() for path in harness.code.rglob("*"))
            assert len(reads) == files
            (harness.code / "up.log").write_text("printed meanwhile")
            lines = []
            assert await runtime.prepare(wanted, lines.append, release=planned) == planned
            assert len(reads) == files
            assert any("changed after the plan, the release has them as planned: up.log" in line for line in lines)
            assert await runtime.fingerprint(wanted) != planned

    asyncio.run(claim())
