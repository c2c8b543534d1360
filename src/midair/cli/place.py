"""Which project the folder of a Compose file is: the same answer for every command.

A folder is a project's when it is the one on record, or the one on record that was moved: that path does not exist any
more, and this folder has its device, inode and birth. A copy or a second checkout has neither.
"""

import ctypes
import os
import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from midair.model.project import Project
    from midair.view.status import ProjectSummary

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_HERE = -100  # AT_FDCWD
_BIRTH = 0x800  # STATX_BTIME
_STATX_BYTES = 256
_BIRTH_AT = 80  # offset of stx_btime: seconds and nanoseconds


def folder_id(folder: str) -> str:
    """What a folder keeps when it is moved within its file system. Empty where its birth is not recorded.

    An inode alone proves nothing: file systems give the inode of a removed folder to the next one.
    """
    try:
        found = os.stat(folder)
    except OSError:
        return ""
    birth = _birth(folder)
    return f"{found.st_dev}:{found.st_ino}:{birth}" if birth else ""


def _birth(path: str) -> str:
    """When a file was made, which `os.stat` does not report on Linux."""
    buffer = ctypes.create_string_buffer(_STATX_BYTES)
    try:
        failed = ctypes.CDLL(None).statx(_HERE, os.fsencode(path), 0, _BIRTH, buffer)
    except AttributeError:
        return ""
    if failed or not struct.unpack_from("I", buffer)[0] & _BIRTH:
        return ""
    seconds, nanoseconds = struct.unpack_from("qI", buffer, _BIRTH_AT)
    return f"{seconds}.{nanoseconds:09}" if seconds else ""


def first_file(here: str) -> str | None:
    """The Compose file of a folder or of the nearest one above it that has one."""
    folder = here
    while True:
        for name in NAMES:
            if os.path.isfile(os.path.join(folder, name)):
                return os.path.join(folder, name)
        if folder == (folder := os.path.dirname(folder)):
            return None


def recorded(file: str, projects: Iterable["ProjectSummary"]) -> list["ProjectSummary"]:
    """The projects of the folder of this first Compose file."""
    folder, name = os.path.split(file)
    known = [summary for summary in projects if _file(summary) in (name, "")]
    if same := [summary for summary in known if summary.folder == folder]:
        return same
    lost = [summary for summary in known if summary.folder_id and not os.path.isdir(summary.folder)]
    mark = folder_id(folder) if lost else ""
    return [summary for summary in lost if summary.folder_id == mark]


def around(here: str, projects: Iterable["ProjectSummary"]) -> list["ProjectSummary"]:
    """The projects on record of the nearest folder around this one, where no Compose file is left."""
    near = [summary for summary in projects if summary.folder and _is_in(here, summary.folder)]
    deepest = max((len(summary.folder) for summary in near), default=0)
    return [summary for summary in near if len(summary.folder) == deepest]


def chosen(project: "Project", projects: Iterable["ProjectSummary"]) -> "ProjectSummary | None":
    """The project on record that a file is, when neither the command nor the file names one."""
    if project.named != "folder" or not project.files:
        return None
    return only(recorded(project.files[0], projects), project.name)


def only(summaries: Sequence["ProjectSummary"], name: str = "") -> "ProjectSummary | None":
    """The one that has or had this name, else the only one."""
    named = [summary for summary in summaries if name in (summary.name, summary.key)]
    found = named or summaries
    return found[0] if len(found) == 1 else None


def _file(summary: "ProjectSummary") -> str:
    return os.path.relpath(summary.files[0], summary.folder) if summary.files else ""


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
