"""Volumes that the engine made for one container: which number of a service keeps its data in which, on file.

Such a volume has no name that a file could say, so what leads from one container to the next is kept here: by service
and number, the newest last. Nothing is deleted but by `Volumes.remove`, when a project is forgotten.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId, ordinal_of, service_of
from midair.runtime.docker.client import reason, trouble
from midair.runtime.docker.container import anonymous_volumes, has_ended, is_left, replica_of

Known = dict[str, dict[str, list[str]]]  # "db/0" -> path in the container -> names, the one in use last


class Volumes:
    """Those of one project."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known = _read(file)

    def note(self, containers: Iterable[dict[str, Any]]) -> None:
        """Write down what containers keep, before anything may remove them. Raises RuntimeTrouble."""
        self._write(noted(self._known, containers))

    def use(self, container: dict[str, Any]) -> None:
        """This container is about to be removed: its successor goes on with its volumes. Raises RuntimeTrouble."""
        self._write(noted(self._known, [container], in_use=True))

    def of(self, replica: ReplicaId, containers: Iterable[dict[str, Any]]) -> dict[str, str]:
        """Volumes by path that a container of this replica goes on with."""
        return inherited(self._known, replica, containers)

    def entries(self) -> list[tuple[str, str, str]]:
        """(volume, service, path) of each that was ever used."""
        found = {
            name: (number.rpartition("/")[0], path)
            for number, paths in sorted(self._known.items())
            for path, names in sorted(paths.items())
            for name in names
        }
        return [(name, *where) for name, where in found.items()]

    async def remove(self, client: aiodocker.Docker) -> list[str]:
        """Delete all of them. Returns a line for each; one that somebody else uses stays."""
        lines = []
        for name, service, path in self.entries():
            async with trouble(f'remove volume "{name}"'):
                try:
                    await client._query_json(f"volumes/{name}", method="DELETE")
                    lines.append(f"removed volume {name} ({service}: {path})")
                except DockerError as error:
                    if error.status == 409:
                        lines.append(f"kept volume {name} ({service}: {path}): {reason(error)}")
                    elif error.status != 404:
                        raise
        return lines

    def _write(self, known: Known) -> None:
        if known == self._known:
            return
        fresh = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh.write_text(json.dumps(known))
            fresh.replace(self._file)
        except OSError as error:
            raise RuntimeTrouble(f'cannot write "{self._file}": {(error.strerror or str(error)).lower()}') from error
        self._known = known


def noted(known: Known, containers: Iterable[dict[str, Any]], *, in_use: bool = False) -> Known:
    """What is known together with what these containers keep. `in_use`: that is what a successor gets. Pure."""
    after = {number: {path: [*names] for path, names in paths.items()} for number, paths in known.items()}
    for container in sorted(containers, key=_age):
        replica = replica_of(container)
        for path, name in anonymous_volumes(container).items() if replica else ():
            names = after.setdefault(_number(replica), {}).setdefault(path, [])
            if in_use and name in names:
                names.remove(name)
            if name not in names:
                names.append(name)
    return after


def inherited(known: Known, replica: ReplicaId, containers: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Volumes by path for a new container of `replica`: those of a container of its number, else as noted. Pure."""
    found = {path: names[-1] for path, names in known.get(_number(replica), {}).items()}
    of_number = [one for one in containers if (its := replica_of(one)) and _number(its) == _number(replica)]
    for container in sorted(of_number, key=lambda one: (not has_ended(one), _age(one))):
        if not is_left(container):
            found |= anonymous_volumes(container)
    return found


def with_inherited(
    mounts: list[dict[str, Any]], volumes: dict[str, str], declared: Iterable[str]
) -> list[dict[str, Any]]:
    """Mounts of a new container. `volumes` go where the image declares one, or the file names a path alone. Pure."""
    filled = [
        {**mount, "Source": volumes[mount["Target"]]}
        if mount["Type"] == "volume" and not mount.get("Source") and mount["Target"] in volumes
        else mount
        for mount in mounts
    ]
    taken = {mount["Target"] for mount in mounts}
    return filled + [
        {"Type": "volume", "Source": volumes[path], "Target": path}
        for path in sorted(declared)
        if path in volumes and path not in taken
    ]


def _number(replica: ReplicaId | None) -> str:
    assert replica is not None
    return f"{service_of(replica)}/{ordinal_of(replica)}"


def _age(container: dict[str, Any]) -> str:
    return str(container.get("Created", ""))


def _read(file: Path) -> Known:
    try:
        return {str(number): dict(paths) for number, paths in json.loads(file.read_text()).items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
