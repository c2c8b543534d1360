"""A build command makes part of a release, and nothing half-made is ever left or used."""

import asyncio
import os
import subprocess
import threading

import msgspec
import pytest
from tests.runtime.place import open_and_close, prepared, service

from midair.errors import BuildTrouble
from midair.model.project import Revision
from midair.runtime.process import blob, translate


def test_a_build_command_runs_inside_the_snapshot(harness, layout):
    wanted = service(
        harness, "echo building; echo $COLOUR $SIZE $A > made; echo '# more' >> app.py", args={"SIZE": "9"}
    )
    wanted = msgspec.structs.replace(wanted, environment={"A": "b"})
    source = (harness.code / "app.py").read_text()
    plain, _ = prepared(harness, service(harness))
    release, lines = prepared(harness, wanted, {"PATH": os.environ["PATH"], "COLOUR": "blue"})
    assert (layout.release(release) / "made").read_text() == "blue 9 b\n"
    assert (layout.release(release) / "app.py").read_text() == source + "# more\n"
    assert (layout.release(plain) / "app.py").read_text() == source == (harness.code / "app.py").read_text()
    assert "web: building" in lines


def test_the_build_command_and_what_it_may_read_are_part_of_the_release(harness):
    plain = service(harness)
    other = msgspec.structs.replace(service(harness, "true"), environment={"MODE": "production"})
    wanted = [plain, service(harness, "true"), service(harness, "true", args={"A": "b"}), other]
    assert len({prepared(harness, each)[0] for each in wanted}) == 4
    with_environment = msgspec.structs.replace(plain, environment={"LOG_LEVEL": "debug"})
    assert prepared(harness, plain)[0] == prepared(harness, with_environment)[0]


def test_build_command_sees_listed_variables_alone(harness, layout):
    wanted = service(harness, "echo $MODE,$SECRET_KEY > made")
    listed = msgspec.structs.replace(wanted, build_env=("MODE",), environment={"MODE": "m", "SECRET_KEY": "a"})
    release, _ = prepared(harness, listed)
    assert (layout.release(release) / "made").read_text() == "m,\n"
    assert (
        prepared(harness, msgspec.structs.replace(listed, environment={"MODE": "m", "SECRET_KEY": "b"}))[0] == release
    )
    assert (
        prepared(harness, msgspec.structs.replace(listed, environment={"MODE": "n", "SECRET_KEY": "a"}))[0] != release
    )


def test_a_build_command_that_fails_is_told_with_its_last_lines_and_leaves_nothing(harness, layout):
    wanted = service(harness, "seq 1 100; echo no such package >&2; exit 3")
    with pytest.raises(BuildTrouble) as caught:
        prepared(harness, wanted)
    first, *rest = caught.value.message.splitlines()
    assert first == f'cannot build service "web": "{wanted.build.command}" ended with code 3'
    assert rest[-1].strip() == "no such package"
    assert len(rest) == 8
    assert list(layout.releases.iterdir()) == []


def test_a_build_that_is_given_up_leaves_nothing_behind(harness, layout):
    async def claim():
        async with harness.open() as runtime:
            begun = asyncio.Event()
            wanted = service(harness, "echo begun; sleep 60")
            lines = []

            def progress(line):
                lines.append(line)
                if line == "web: begun":
                    begun.set()

            building = asyncio.create_task(runtime.prepare(wanted, progress))
            await begun.wait()
            building.cancel()
            await asyncio.gather(building, return_exceptions=True)
        assert list(layout.releases.iterdir()) == []

    asyncio.run(claim())


def test_a_snapshot_that_is_given_up_leaves_nothing_behind(harness, layout, monkeypatch):
    begun, go = threading.Event(), threading.Event()
    real = blob.Blobs.put

    def put(*arguments, **fields):
        begun.set()
        assert go.wait(10)
        real(*arguments, **fields)

    async def claim():
        async with harness.open() as runtime:
            preparing = asyncio.create_task(runtime.prepare(service(harness), print))
            await asyncio.to_thread(begun.wait, 10)
            preparing.cancel()
            pruning = asyncio.create_task(runtime.prune(set()))  # may delete what the snapshot has just taken in
            await asyncio.wait({pruning}, timeout=0.2)
            assert not pruning.done()
            go.set()
            await asyncio.gather(preparing, pruning, return_exceptions=True)
            assert preparing.cancelled()
            assert list(layout.releases.iterdir()) == []

    monkeypatch.setattr(blob.Blobs, "put", put)
    asyncio.run(claim())


def test_a_build_is_on_the_disk_before_it_counts(harness, layout, monkeypatch):
    flushed, marks = [], []

    def sync():
        marks.extend(path.name for path in layout.releases.glob(".building-*"))
        flushed.extend(path.relative_to(layout.releases).parts for path in layout.releases.glob("*/made"))

    monkeypatch.setattr(os, "sync", sync)
    release, _ = prepared(harness, service(harness, "echo x > made"))
    assert flushed == [(release, "made")]
    assert marks == [f".building-{release}"]
    assert [path.name for path in layout.releases.iterdir()] == [release]


def test_a_build_that_outlived_its_daemon_leaves_nothing_behind(harness, layout):
    async def claim():
        layout.make()
        draft = layout.releases / ".new-abc"
        draft.mkdir()
        script = f"while :; do mkdir -p {draft}/again/and/again; done"
        mark = {"PATH": os.environ["PATH"], translate.MARK: f"{draft}#command"}
        building = await asyncio.create_subprocess_exec("/bin/sh", "-c", script, env=mark)
        while not list(draft.glob("*/*/*")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with harness.open():
            assert await building.wait() == -9
        assert list(layout.releases.iterdir()) == []

    asyncio.run(claim())


def test_a_build_runs_where_its_release_lives(harness, layout):
    # The scripts of a Python venv begin with the path of the folder in which the venv was made.
    script = 'printf "#!%s/sh\\nexit 0\\n" "$PWD" > tool; chmod +x tool; cp /bin/sh sh'
    wanted = msgspec.structs.replace(service(harness, script), command=("./tool",))
    release, _ = prepared(harness, wanted)
    place = layout.release(release)
    assert (place / "tool").read_text().startswith(f"#!{place}/sh\n")
    subprocess.run([place / "tool"], check=True)


def test_two_builds_of_a_release_run_once(harness, layout):
    async def claim():
        async with harness.open() as runtime:
            wanted = service(harness, f"echo x >> {harness.home}/builds; sleep 0.2")
            first, second = await asyncio.gather(*(runtime.prepare(wanted, print) for _ in range(2)))
            assert first == second
        assert (harness.home / "builds").read_text() == "x\n"
        assert [path.name for path in layout.releases.iterdir()] == [first]

    asyncio.run(claim())


def test_an_unfinished_build_is_never_taken_for_a_release(harness, layout):
    wanted = service(harness, "echo whole > made; mkdir sealed; echo x > sealed/file; chmod 555 sealed")
    release, _ = prepared(harness, wanted)
    # As a daemon leaves it that dies in the middle of the build.
    (layout.releases / f".building-{release}").touch()
    (layout.release(release) / "made").unlink()

    async def claim():
        async with harness.open() as runtime:
            assert list(layout.releases.iterdir()) == []
            (layout.releases / f".building-{release}").touch()  # and as a failed removal leaves it
            layout.release(release).mkdir()
            await runtime.prune(set())
            assert await runtime.prepare(wanted, print) == release
        assert (layout.release(release) / "made").read_text() == "whole\n"
        assert [path.name for path in layout.releases.iterdir()] == [release]

    asyncio.run(claim())


def test_what_a_dead_daemon_left_half_made_is_removed(harness, layout):
    release, _ = prepared(harness, service(harness))
    (layout.releases / ".new-abc").mkdir()
    (layout.releases / ".new-abc" / "file").write_text("x")
    (layout.blobs / ".new-def").write_text("x")
    asyncio.run(open_and_close(harness))
    assert [path.name for path in layout.releases.iterdir()] == [release]
    assert not (layout.blobs / ".new-def").exists()


def test_removed_release_is_made_again_from_the_same_code(harness, layout):
    async def claim():
        async with harness.open() as runtime:
            wanted = service(harness)
            made = Revision("0123abcd", wanted, release=await runtime.prepare(wanted, lambda line: None))
            await runtime.prune(set())
            assert await runtime.fetch(made, lambda line: None) == ""
            assert layout.release(made.release).is_dir()
            await runtime.prune(set())
            (harness.code / "app.py").write_text("other")
            reason = await runtime.fetch(made, lambda line: None)
            assert reason.startswith(f'release "{made.release}" of service "web" was removed, and its build directory')

    asyncio.run(claim())
