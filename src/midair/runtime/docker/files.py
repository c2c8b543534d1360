"""Configs and secrets as files: one copy for each content and owner, mounted read-only into the containers that use it.

They lie in a folder that only its owner may enter, so their own permissions are those that the container sees.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from midair.errors import RuntimeTrouble
from midair.model.project import Project, Service

_ROOTS = {"configs": "/", "secrets": "/run/secrets/"}
_MODE = 0o444


class Files:
    """The contents kept for one project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, project: Project) -> None:
        """Write what the project brought. Raises RuntimeTrouble when a content is not here and was not brought."""
        for service in (one for one in project.services.values() if one.runtime == "docker"):
            for name, digest, _, entry in _mounts(service):
                path = self._path(digest, entry)
                if path.exists():
                    continue
                content = project.captured[digest] if digest in project.captured else self._sibling(digest)
                if content is None:
                    raise RuntimeTrouble(
                        f'cannot give "{service.name}" {name}: its content is not kept any more',
                        hint="write the file again and run midair up",
                    )
                self._write(path, content, entry)

    def mounts(self, service: Service) -> tuple[tuple[str, str], ...]:
        """(path on this machine, path in the container) of everything that a revision of the service is given."""
        return tuple((str(self._path(digest, entry)), target) for _, digest, target, entry in _mounts(service))

    def prune(self, keep: set[str]) -> None:
        """Forget contents that no revision needs."""
        for folder in self._folder.iterdir() if self._folder.is_dir() else ():
            if folder.name not in keep:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()

    def _path(self, digest: str, entry: dict[str, Any]) -> Path:
        owner = "-".join(str(entry.get(name) or 0) for name in ("uid", "gid"))
        return self._folder / digest / f"{_mode(entry):o}-{owner}"

    def _sibling(self, digest: str) -> bytes | None:
        """The content as another owner has it."""
        folder = self._folder / digest
        kept = sorted(folder.iterdir()) if folder.is_dir() else []
        return next((path.read_bytes() for path in kept if path.suffix != ".new"), None)

    def _write(self, path: Path, content: bytes, entry: dict[str, Any]) -> None:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                if os.geteuid() == 0:
                    os.fchown(file.fileno(), int(entry.get("uid") or 0), int(entry.get("gid") or 0))
                os.fchmod(file.fileno(), _mode(entry))
            fresh.rename(path)
        except (OSError, ValueError) as error:
            said = (getattr(error, "strerror", None) or str(error)).lower()
            raise RuntimeTrouble(f'cannot write "{path}": {said}') from error


def unavailable(service: Service) -> Iterator[str]:
    """Reasons why files of the service cannot be had on a single engine."""
    for kind in _ROOTS:
        for entry in service.fields.get(kind) or ():
            if f"{kind}.{entry['source']}" not in service.contents:
                yield (
                    f'service "{service.name}" uses the {kind[:-1]} "{entry["source"]}", which is external: '
                    "a single engine keeps none"
                )


def _mounts(service: Service) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """For each file: its name for people, its digest, its place in the container, its entry in the service."""
    for kind, root in _ROOTS.items():
        for entry in service.fields.get(kind) or ():
            digest = service.contents.get(f"{kind}.{entry['source']}")
            if digest is not None:
                target = str(entry.get("target") or entry["source"])
                yield f'the {kind[:-1]} "{entry["source"]}"', digest, _absolute(root, target), entry


def _absolute(root: str, target: str) -> str:
    return target if target.startswith("/") else root + target


def _mode(entry: dict[str, Any]) -> int:
    said = entry.get("mode")
    return _MODE if said is None else int(said, 8) if isinstance(said, str) else int(said)
