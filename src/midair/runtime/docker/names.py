"""Names of containers: Compose's own form with the first free number, beside whatever else is on the engine.

A `container_name` is a name in the engine's DNS as well, which leads past the front to the container that has it. So a
replica has it alone: it is taken from the old one when its successor exists, and given to that when the old is gone.
"""

from collections.abc import Container, Iterable
from itertools import count
from typing import Any, NamedTuple

import aiodocker

from midair.model.ids import ReplicaId, revision_of
from midair.model.project import Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE
from midair.runtime.docker.translate import container_name


class Names:
    """Those of one project, and the numbers that are promised to containers that are being made."""

    def __init__(self, project: str) -> None:
        self._project = project
        self._promised: set[int] = set()

    def number(self, service: str, known: Iterable[dict[str, Any]], taken: Container[str]) -> int:
        """Compose's container number: the first that no container of the service has, and whose name is free."""
        numbers = set(self._promised)
        for container in known:
            found = container["Config"]["Labels"]
            if found.get(f"{COMPOSE}service") == service:
                numbers.add(int(found.get(f"{COMPOSE}container-number") or 0))
        free = (n for n in count(1) if n not in numbers and container_name(self._project, service, n) not in taken)
        number = next(free)
        self._promised.add(number)
        return number

    def made(self, number: int) -> None:
        """The container is there, or will not be."""
        self._promised.discard(number)

    def name(self, service: Service, number: int, taken: Container[str], *, has_front: bool) -> str:
        """`container_name` if it is free now, else Compose's own form.

        A service that has a front already is being called: a new replica gets the name when it is ready.
        """
        wanted = service.fields.get("container_name")
        is_free = wanted and wanted not in taken and not has_front
        return str(wanted) if is_free else container_name(self._project, service.name, number)


class Named(NamedTuple):
    """One container of a service, with its name."""

    id: str
    replica: ReplicaId
    name: str
    number: int
    lives: bool
    ready: bool


def renames(project: str, service: Service, known: list[Named], taken: Container[str]) -> list[tuple[str, str]]:
    """Container and new name, in this order, so that the right one of a service has its `container_name`. Pure.

    That is the one that has it, or the first that is ready; with a front none, while another revision lives.
    """
    wanted = service.fields.get("container_name")
    living = sorted((entry for entry in known if entry.lives), key=lambda entry: entry.number)
    if not wanted or not living:
        return []
    heirs = [entry for entry in living if entry.name == wanted] + [entry for entry in living if entry.ready]
    is_settled = service.front is None or len({revision_of(entry.replica) for entry in living}) == 1
    heir = heirs[0] if heirs and is_settled else None
    found = []
    for entry in known:
        if entry.name == wanted and entry is not heir:
            names = (container_name(project, service.name, n) for n in count(max(1, entry.number)))
            found.append((entry.id, next(name for name in names if name not in taken)))
    is_ours = wanted not in taken or any(entry.name == wanted for entry in known)
    if heir is not None and heir.name != wanted and is_ours:
        found.append((heir.id, str(wanted)))
    return found


async def taken_names(client: aiodocker.Docker) -> dict[str, str]:
    """Names of all containers on the engine, whoever made them, with the project each belongs to."""
    async with trouble("list containers"):
        listed = await client.containers.list(all=True)
    return {
        name.lstrip("/"): (entry._container.get("Labels") or {}).get(f"{COMPOSE}project", "")
        for entry in listed
        for name in entry._container.get("Names") or ()
    }


async def name_clash(client: aiodocker.Docker, service: Service, project: str) -> tuple[str, ...]:
    """The reason why the service cannot have its `container_name`, if there is one."""
    name = service.fields.get("container_name")
    owner = (await taken_names(client)).get(name, project) if name else project
    if owner == project:
        return ()
    return (f'container name "{name}" of service "{service.name}" belongs to a container that is not of this project',)
