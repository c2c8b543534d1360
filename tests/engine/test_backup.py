"""The whole state goes into one file and comes out of it."""

import asyncio
import os
import tarfile

import pytest
from msgspec.structs import replace

from midair.errors import Conflict, StoreTrouble, UsageRefused
from midair.store import backup as files
from midair.view.ask import AskDown

from .conftest import Site, shop, web


def release(site, content):
    """A release on disk, as the process runtime would make it."""
    folder = site.home / "projects" / "shop" / "releases" / "aa11"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "app.py").write_text(content)
    (folder.parent.parent / "logs").mkdir(exist_ok=True)
    (folder.parent.parent / "logs" / "web.log").write_text("noise")


def test_an_empty_home_takes_over_everything_from_a_backup(site, tmp_path):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.ended(await site.up(shop(web("blue"))))
        release(site, "old code")
        made = await site.engine.backup(str(tmp_path / "state.backup"))
        assert made.projects == ("shop",)
        assert made.bytes == (tmp_path / "state.backup").stat().st_size
        assert (tmp_path / "state.backup").stat().st_mode & 0o777 == 0o600
        before, history = site.living(), len(site.engine.store.changes.all("shop"))
        await site.end()

        other = Site(tmp_path / "other")
        other.home.mkdir()
        await other.begin()
        await other.engine.restore(str(tmp_path / "state.backup"))
        await other.until(lambda: other.living() == before)
        assert len(other.engine.store.changes.all("shop")) == history
        assert (other.home / "projects/shop/releases/aa11/app.py").read_text() == "old code"
        assert not (other.home / "projects/shop/logs").exists()
        await other.ended(await other.undo())
        await other.end()

    asyncio.run(story())


def test_a_restore_over_a_known_project_is_a_change_that_can_be_undone(site, tmp_path):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        red = site.living()
        await site.engine.backup(str(tmp_path / "state.backup"))
        await site.ended(await site.up(shop(web("blue"))))
        blue = site.living()
        await site.engine.restore(str(tmp_path / "state.backup"))
        restored = site.engine.store.changes.latest("shop")
        assert restored.kind == "restore"
        await site.ended(restored)
        assert site.living() == red
        await site.ended(await site.undo())
        assert site.living() == blue
        await site.end()

    asyncio.run(story())


def test_a_file_that_is_no_backup_changes_nothing(site, tmp_path):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        before = site.living()
        (tmp_path / "noise").write_bytes(b"\0" * 4096)
        with tarfile.open(tmp_path / "empty.tar", "w"):
            pass
        for name in ("noise", "empty.tar"):
            with pytest.raises(StoreTrouble, match="cannot read the backup"):
                await site.engine.restore(str(tmp_path / name))
        with pytest.raises(UsageRefused, match="there is no such file"):
            await site.engine.restore(str(tmp_path / "absent"))
        for name in ("\0", "n" * 4096):
            with pytest.raises((UsageRefused, StoreTrouble)):
                await site.engine.backup(str(tmp_path / name))
            with pytest.raises(UsageRefused, match="there is no such file"):
                await site.engine.restore(str(tmp_path / name))
        for name in ("no/folder/here", "noise/is/a/file", "noise/here"):
            with pytest.raises(StoreTrouble, match="cannot write the backup"):
                await site.engine.backup(str(tmp_path / name))
        assert site.living() == before
        assert len(site.engine.store.changes.all("shop")) == 1
        assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []
        await site.end()

    asyncio.run(story())


def test_a_restore_waits_for_what_is_being_accepted_and_tidied_up(site, tmp_path):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        release(site, "old code")
        await site.engine.backup(str(tmp_path / "state.backup"))
        (site.home / "projects/shop/releases/aa11/app.py").unlink()
        keeper = site.engine.keeper("shop")
        await keeper.accepting.acquire()
        restoring = asyncio.create_task(site.engine.restore(str(tmp_path / "state.backup")))
        await site.until(lambda: keeper.accepting._waiters)
        assert not (site.home / "projects/shop/releases/aa11/app.py").exists()
        keeper.accepting.release()
        await restoring
        assert (site.home / "projects/shop/releases/aa11/app.py").exists()
        await site.end()

    asyncio.run(story())


def test_a_restore_whose_caller_has_gone_changes_nothing(site, tmp_path):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        await site.engine.backup(str(tmp_path / "state.backup"))
        await site.ended(await site.up(shop(web("blue"))))

        async def gone():
            return False

        with pytest.raises(Conflict, match="the caller hung up"):
            await site.engine.restore(str(tmp_path / "state.backup"), gone)
        assert len(site.engine.store.changes.all("shop")) == 2
        await site.end()

    asyncio.run(story())


def test_a_project_may_be_forgotten_while_a_backup_waits(site, tmp_path):
    async def story():
        await site.begin()
        for name in ("a", "b"):
            await site.up(replace(shop(replace(web(), ports=())), name=name))
        first, second = site.engine.keeper("a"), site.engine.keeper("b")
        await site.until(lambda: not first.state.under_way and not second.state.under_way)
        await site.until(lambda: not first.accepting.locked() and not second.accepting.locked())
        async with first.accepting:
            saving = asyncio.create_task(site.engine.backup(str(tmp_path / "state.backup")))
            await site.until(lambda: first.accepting._waiters)
            await site.engine.down("b", AskDown(), site.lines.append)
            await site.until(lambda: second.state.is_empty)
            await site.engine.forget("b")
        assert (await saving).projects == ("a",)
        await site.end()

    asyncio.run(story())


def test_a_file_that_goes_while_it_is_saved_is_no_obstacle(site, tmp_path, monkeypatch):
    async def story():
        await site.begin()
        await site.ended(await site.up(shop()))
        release(site, "old code")
        notes = [site.home / "projects" / "shop" / name for name in ("one.json", "two.json")]
        for note in notes:
            note.touch()

        def going(member, kept=files._kept):
            if member.name.endswith(".json"):
                for note in notes:
                    if not member.name.endswith(note.name):
                        note.unlink(missing_ok=True)
            return kept(member)

        monkeypatch.setattr(files, "_kept", going)
        await site.engine.backup(str(tmp_path / "state.backup"))
        assert sum(note.exists() for note in notes) == 1
        with tarfile.open(tmp_path / "state.backup") as archive:
            assert {"midair.db", "projects/shop/releases/aa11/app.py"} <= set(archive.getnames())
        await site.end()

    asyncio.run(story())


def test_a_backup_writes_through_nobody_elses_link(site, tmp_path):
    async def story():
        await site.begin()
        (tmp_path / "precious").write_text("mine")
        os.symlink(tmp_path / "precious", tmp_path / f".state.backup.{os.getpid()}")
        await site.engine.backup(str(tmp_path / "state.backup"))
        assert (tmp_path / "precious").read_text() == "mine"
        assert not (tmp_path / "state.backup").is_symlink()
        await site.end()

    asyncio.run(story())


@pytest.mark.parametrize("filtered", [True, False], ids=["python-3.11.4", "python-3.11.2"])
def test_backup_members_stay_inside_the_folder(tmp_path, monkeypatch, filtered):
    if not filtered:
        monkeypatch.delattr(tarfile, "tar_filter", raising=False)
    (tmp_path / "noise").write_text("noise")
    with tarfile.open(tmp_path / "hostile.tar", "w") as archive:
        archive.add(tmp_path / "noise", "midair.db")
        archive.add(tmp_path / "noise", "../outside")
    (tmp_path / "target").mkdir()
    with pytest.raises(StoreTrouble, match="outside"):
        files.unpack(tmp_path / "hostile.tar", tmp_path / "target")
    assert not (tmp_path / "outside").exists()
