"""The fronts of one project on the engine: observed, made, put right and removed. Decides nothing."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.action import FrontAction, MakeFront
from midair.model.project import Project, Service
from midair.model.seen import FrontSeen
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import FRONT, FRONT_SPEC
from midair.runtime.docker.front.body import endpoints, front_body, front_name, spec, unfit, unnamed
from midair.runtime.docker.front.image import command, ensure_image
from midair.runtime.docker.front.keeper import FAILED, READY
from midair.runtime.docker.networks import ensure_networks
from midair.runtime.docker.translate import Placement
from midair.runtime.docker.watch import Containers

_RULES_S, _LOOK_S = 5.0, 0.03  # a front without a log that can be read takes its names after the first


class Fronts:
    """`folder`: where the project's router listens for keepers; it is mounted into every front."""

    def __init__(self, client: aiodocker.Docker, containers: Containers, folder: Path) -> None:
        self._engine, self._containers, self._folder = client, containers, folder

    def seen(self, project: Project) -> tuple[FrontSeen, ...]:
        """Every front that there is, compared with what the project in force says."""
        placement = Placement(project)
        found = []
        for name, container in self._containers.fronts().items():
            reason = unfit(container, project.services.get(name), placement)
            found.append(FrontSeen(name, not reason, reason))
        return tuple(found)

    async def perform(self, action: FrontAction, project: Project) -> None:
        """See to a front, or remove it. Raises RuntimeTrouble."""
        found = self._containers.fronts().get(action.service)
        if not isinstance(action, MakeFront):
            if found is not None:
                await self._remove(found)
            return
        service = project.services.get(action.service)
        if service is None or service.front is None:
            return
        placement = Placement(project)
        if found is not None and found["Config"]["Labels"].get(FRONT_SPEC) != spec(service, placement):
            await self._remove(found)
            found = None
        if found is None:
            await self._make(service, placement)
        else:
            await self._put_right(found, service, placement)

    async def remove_strangers(self, project: Project) -> None:
        """Remove fronts of services that the project does not have: a daemon that died has left them."""
        for name, container in self._containers.fronts().items():
            if name not in project.services:
                await self._remove(container)

    async def _make(self, service: Service, placement: Placement) -> None:
        project = placement.project
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        await ensure_networks(self._engine, project, [], (service,))
        image, name = await ensure_image(self._engine), front_name(project.name, service.name)
        body = front_body(service, placement, image, command(service.name), str(self._folder))
        async with trouble(f'make the front of "{service.name}"'):
            made = await self._engine.containers.create(body, name=name)
        found = await self._containers.refresh(made.id)
        if found is not None:
            await self._put_right(found, service, placement)

    async def _put_right(self, container: dict[str, Any], service: Service, placement: Placement) -> None:
        """Run, and then take the names: an address without rules would refuse whoever calls."""
        one = str(container["Id"])
        async with trouble(f'start the front of "{service.name}"'):
            front = self._engine.containers.container(one)
            if container["State"].get("Paused"):
                await front.unpause()
            elif not container["State"].get("Running"):
                await front.start()
        await self._rules_of(front, service.name)
        async with trouble(f'name the front of "{service.name}"'):
            for network in unnamed(container, service, placement):
                found = await self._engine.networks.get(network)
                if network in container["NetworkSettings"]["Networks"]:
                    await found.disconnect({"Container": one, "Force": True})
                await found.connect({"Container": one, "EndpointConfig": endpoints(service, placement)[network]})
        await self._containers.refresh(one)

    async def _rules_of(self, front: DockerContainer, service: str) -> None:
        """Wait for the front's first rules. Raises RuntimeTrouble when the kernel does not take them."""
        log = ""
        with suppress(TimeoutError):
            async with asyncio.timeout(_RULES_S), trouble(f'read the log of the front of "{service}"'):
                while READY not in (log := "".join(await front.log(stdout=True, stderr=True, tail=5))):
                    if FAILED in log:
                        break
                    await asyncio.sleep(_LOOK_S)
        if FAILED in log:
            reason = log.rpartition(FAILED)[2].splitlines()[0]
            raise RuntimeTrouble(
                f'cannot start the front of "{service}": the kernel takes no nftables rules: {reason}',
                hint="load the kernel's nf_tables and nft_chain_nat modules, or write `x-midair: {front: none}`",
            )

    async def _remove(self, container: dict[str, Any]) -> None:
        one = str(container["Id"])
        async with trouble(f'remove the front of "{container["Config"]["Labels"][FRONT]}"'):
            try:
                await self._engine.containers.container(one).delete(force=True)
            except DockerError as error:
                if error.status not in (404, 409):
                    raise
        await self._containers.refresh(one)
