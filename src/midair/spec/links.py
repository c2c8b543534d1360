"""Paths in the release of a plain process that lead to files outside of it: `x-midair.shared`, and volumes.

A volume has one where its target lies in the release: the target is relative, or it lies below an absolute
`working_dir`, which is where the image would have the code.
"""

import hashlib
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from midair.model.project import Link
from midair.spec.node import Node
from midair.spec.paths import from_folder, is_remote, join_path
from midair.spec.problems import Problems, got, join

_LONGEST = 40  # characters of a way that are part of a name


def check_shared(service: Node, path: str, problems: Problems) -> None:
    """Note paths that cannot be shared, and a service that has no release to share them with."""
    shared = service.find("x-midair", "shared")
    if shared is None:
        return
    path = join(path, "x-midair.shared")
    if service.get("build") is None:
        problems.add(path, "needs build: without it a service runs in its own folder, and its files stay", shared.place)
    for index, each in enumerate(shared.items()):
        text = str(each.value)
        if normal(text) is None:
            message = f'should be a path inside the release, such as "db.sqlite3" or "media/", got {got(text)}'
            problems.add(join(path, index), message, each)


def normal(path: str) -> str | None:
    """A path relative to the release, without dots, with the "/" at its end if it has one; None when it leads out."""
    if not path.strip() or path.startswith(("/", "~")) or any(sign in path for sign in "*?[\0\\"):
        return None
    inner = posixpath.normpath(path)
    if inner in (".", "..") or inner.startswith("../"):
        return None
    return inner + "/" if path.endswith("/") else inner


def links_of(fields: dict[str, Any], own: dict[str, Any], folder: str) -> tuple[Link, ...]:
    """All of them, in the file's order."""
    shared = [normal(text) for text in own.get("shared", ())]
    return (*(Link(path) for path in dict.fromkeys(shared) if path), *_of_volumes(fields, folder))


def _of_volumes(fields: dict[str, Any], folder: str) -> Iterator[Link]:
    for volume in fields.get("volumes", ()):
        path = _inside(str(volume.get("target", "")), fields.get("working_dir"))
        source = volume.get("source")
        if path is None or not source:
            continue
        if volume["type"] == "bind" and not source.startswith("~"):
            yield Link(path, source=join_path(folder, source), target=volume["target"])
        elif volume["type"] == "volume":
            yield Link(f"{path}/", volume=source, target=volume["target"])


def _inside(target: str, working_dir: str | None) -> str | None:
    if target.startswith("/"):
        if working_dir is None or not working_dir.startswith("/"):
            return None
        target = from_folder(target, working_dir)
    found = normal(target)
    return found.rstrip("/") if found is not None else None


def place_of(build: dict[str, Any], folder: str) -> str:
    """The name of the folder that holds the shared files of all services that are built from one folder.

    They share a release as well. It goes by the way from the project's folder, so that both can move.
    """
    context = str(build["context"])
    way = context if is_remote(context) else from_folder(join_path(folder, context), folder)
    if way == ".":
        return "code"
    digest = hashlib.sha256(way.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"code-{re.sub('[^A-Za-z0-9._-]+', '-', way)[-_LONGEST:]}-{digest}"
