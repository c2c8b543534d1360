"""Keeps each `container_name` with the container that is to have it, as `names.renames` says. Decides nothing."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import aiodocker

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId, service_of
from midair.model.project import Project, Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import COMPOSE, has_ended, replica_of
from midair.runtime.docker.names import Named, renames, taken_names
from midair.runtime.docker.watch import Containers


class Naming:
    """`project`: the one in force. `ready`: the replicas that are ready now; raises RuntimeTrouble."""

    def __init__(
        self, client: aiodocker.Docker, containers: Containers, project: Callable[[], Project],
        ready: Callable[[], set[ReplicaId]],
    ) -> None:  # fmt: skip
        self._engine, self._containers, self._project, self._ready = client, containers, project, ready
        self._news, self._lock = asyncio.Event(), asyncio.Lock()
        self._task = asyncio.create_task(self._follow())

    def changed(self) -> None:
        """Something about containers is new."""
        self._news.set()

    async def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def settle(self) -> None:
        """Rename what has another name than it is to have. Raises RuntimeTrouble."""
        async with self._lock:
            for service in self._project().services.values():
                known = self._known(service) if service.fields.get("container_name") else []
                if renames(self._project().name, service, known, ()):
                    taken = await taken_names(self._engine)
                    for container, name in renames(self._project().name, service, known, taken):
                        async with trouble(f'give container "{container[:12]}" the name "{name}"'):
                            await self._engine.containers.container(container).rename(name)
                        await self._containers.refresh(container)

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            with suppress(RuntimeTrouble):  # tried again when something else is new
                await self.settle()

    def _known(self, service: Service) -> list[Named]:
        ready = self._ready()
        return [
            Named(
                str(container["Id"]),
                replica,
                str(container["Name"]).lstrip("/"),
                int(container["Config"]["Labels"].get(f"{COMPOSE}container-number") or 0),
                lives=not has_ended(container),
                ready=replica in ready and not has_ended(container),
            )
            for container in self._containers.current()
            if (replica := replica_of(container)) is not None and service_of(replica) == service.name
        ]
