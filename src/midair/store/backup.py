"""The whole state in one file: a tar archive of the database and of every project's releases. No logs, no sockets."""

import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from midair.errors import StoreTrouble
from midair.model.project import Applied
from midair.store.connection import open_database, scripts
from midair.store.projects import Projects
from midair.store.store import FILE, TABLES, Store
from midair.store.trouble import told

PROJECTS = "projects"
DRAFT = ".backup-"
_LEFT_OUT = frozenset({"replicas", "logs", "router.log", "router.sock"})  # of this machine, and of this moment


@contextmanager
def draft_folder(home: Path) -> Iterator[Path]:
    """A folder in `home` that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=DRAFT, dir=home))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_database(store: Store, folder: Path) -> None:
    """A consistent copy of the database as it is at this moment."""
    with told("copy", store.path):
        store.database.execute("VACUUM INTO ?", (str(folder / FILE),))


def pack(home: Path, folder: Path, target: Path) -> int:
    """Write the archive from a copy of the database in `folder`. Returns its size. May take long."""
    draft = None
    try:
        descriptor, draft = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with open(descriptor, "wb") as file:
            with _Archive.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
                tarfile.TarFile.add(archive, folder / FILE, FILE)
                if (home / PROJECTS).is_dir():
                    archive.add(home / PROJECTS, PROJECTS, filter=_kept)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except OSError as error:
        raise StoreTrouble(f'cannot write the backup "{target}": {error.strerror or error}') from error
    finally:
        with suppress(OSError):  # it was said already why it is not there
            if draft is not None:
                os.unlink(draft)
    return target.stat().st_size


class _Archive(tarfile.TarFile):
    """Leaves out what goes while it is read: notes of a router, of a runtime. Releases stay for so long."""

    def add(self, *given: Any, **named: Any) -> None:
        with suppress(FileNotFoundError):
            super().add(*given, **named)


def unpack(source: Path, folder: Path) -> None:
    """Read an archive into `folder`, and bring its database to the present version. May take long."""
    try:
        with tarfile.open(source) as archive:
            _extract(archive, folder)
    except (OSError, tarfile.TarError, EOFError) as error:
        raise StoreTrouble(
            f'cannot read the backup "{source}": {error}', hint="use a file that midair daemon backup wrote"
        ) from error
    if not (folder / FILE).is_file():
        raise StoreTrouble(
            f'cannot read the backup "{source}": there is no database in it',
            hint="use a file that midair daemon backup wrote",
        )


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract what stays inside the folder. Raises TarError for a member that does not."""
    # Python learnt to filter archives in 3.11.4, and Debian 12 ships 3.11.2.
    if hasattr(tarfile, "tar_filter"):
        archive.extractall(folder, filter="tar")
        return
    for member in archive:
        member.name = member.name.lstrip("/")
        if not (folder / member.name).resolve().is_relative_to(folder.resolve()):
            raise tarfile.TarError(f"{member.name!r} would be extracted outside of the folder")
        member.mode &= 0o755
        archive.extract(member, folder)


def move_releases(folder: Path, home: Path) -> None:
    """Put unpacked files in their place. What is there already stays: releases never change."""
    for source, folders, files in os.walk(folder / PROJECTS):
        place = home / Path(source).relative_to(folder)
        if not place.exists():
            os.rename(source, place)
            folders.clear()
            continue
        for name in files:
            if not (place / name).exists():
                os.rename(Path(source, name), place / name)


def shown(folder: Path) -> dict[str, str]:
    """What people call every project in the unpacked database."""
    database = open_database(folder / FILE, scripts())
    try:
        projects = Projects(database)
        return {name: projects.shown(name) for name in projects.names()}
    finally:
        database.close()


def completed(folder: Path) -> dict[str, Applied | None]:
    """The state of every project in the unpacked database."""
    database = open_database(folder / FILE, scripts())
    try:
        projects = Projects(database)
        return {name: projects.completed(name) for name in projects.names()}
    finally:
        database.close()


def take_in(store: Store, folder: Path, projects: Iterable[str]) -> None:
    """Copy all that the unpacked database knows of these projects, which the present one does not know."""
    with told("read", folder / FILE):
        store.database.execute("ATTACH DATABASE ? AS backup", (str(folder / FILE),))
    try:
        with store.transaction("write to") as database:
            for project in projects:
                _copy_project(database, project)
    finally:
        store.database.execute("DETACH DATABASE backup")


def _copy_project(database: sqlite3.Connection, project: str) -> None:
    for table in TABLES:
        column = "name" if table == "projects" else "project"
        database.execute(f"INSERT INTO main.{table} SELECT * FROM backup.{table} WHERE {column} = ?", (project,))
    database.execute(
        "INSERT INTO main.events (project, change, at, body) "
        "SELECT project, change, at, body FROM backup.events WHERE project = ? ORDER BY number",
        (project,),
    )


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = Path(member.name).parts
    left_out = len(parts) > 2 and parts[2] in _LEFT_OUT
    return None if left_out or not (member.isreg() or member.isdir() or member.issym() or member.islnk()) else member
