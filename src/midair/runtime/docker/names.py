"""Names of new containers: Compose's own form with the first free number, beside whatever else is on the engine."""

from collections.abc import Container, Iterable
from itertools import count
from typing import Any

import aiodocker

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

    def name(self, service: Service, number: int, taken: Container[str]) -> str:
        """`container_name` if it is free now, else Compose's own form."""
        wanted = service.fields.get("container_name")
        return str(wanted) if wanted and wanted not in taken else container_name(self._project, service.name, number)


async def taken_names(client: aiodocker.Docker) -> dict[str, str]:
    """Names of all containers on the engine, whoever made them, with the project each belongs to."""
    async with trouble("list containers"):
        listed = await client.containers.list(all=True)
    return {
        name.lstrip("/"): (entry._container.get("Labels") or {}).get(f"{COMPOSE}project", "")
        for entry in listed
        for name in entry._container.get("Names") or ()
    }
