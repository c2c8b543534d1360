"""The whole state goes into one file and comes out of it."""

import asyncio
import tarfile

import pytest

from midair.errors import StoreTrouble, UsageRefused

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
        for name in ("no/folder/here", "noise/is/a/file", "noise/here"):
            with pytest.raises(StoreTrouble, match="cannot write the backup"):
                await site.engine.backup(str(tmp_path / name))
        assert site.living() == before
        assert len(site.engine.store.changes.all("shop")) == 1
        assert [path.name for path in site.home.iterdir() if path.name.startswith(".")] == []
        await site.end()

    asyncio.run(story())
