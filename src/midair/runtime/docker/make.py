"""Makes the containers of one project and starts them: of a revision, or like one that Compose had made."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiodocker
from msgspec.structs import replace

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.action import StartReplica
from midair.model.ids import FOREIGN, replica_id, service_of
from midair.model.project import Project, Revision
from midair.runtime.docker import images
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import anonymous_volumes, attempt_of, is_foreign, replica_of
from midair.runtime.docker.files import Files
from midair.runtime.docker.front.addresses import hosts_for
from midair.runtime.docker.front.links import links_for
from midair.runtime.docker.limits import IN_PLACE
from midair.runtime.docker.names import Names, taken_names
from midair.runtime.docker.networks import ensure_networks
from midair.runtime.docker.post_start import PostStart
from midair.runtime.docker.sessions import Draft
from midair.runtime.docker.translate import (
    Placement,
    clone_body,
    clone_endpoints,
    container_name,
    create_body,
    network_endpoints,
)
from midair.runtime.docker.volumes import Volumes, with_inherited
from midair.runtime.docker.watch import Containers


class Maker:
    """`inside`: folder in which the daemon serves the project's flags; None where containers cannot reach it."""

    def __init__(
        self,
        client: aiodocker.Docker,
        name: str,
        containers: Containers,
        files: Files,
        inside: Path | None,
        post_start: PostStart,
        volumes: Volumes,
        delete: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        self._engine, self._containers, self._files, self._delete = client, containers, files, delete
        self._inside, self._post_start, self._volumes = inside, post_start, volumes
        self._names = Names(name)

    async def start(self, action: StartReplica, revision: Revision, project: Project) -> None:
        """Start a replica of the project in force; harmless when it runs. Raises RuntimeTrouble."""
        found = await self._containers.find(action.replica)
        if found is not None:
            if attempt_of(found) >= action.attempt or found["State"]["Status"] == "restarting":
                await self._start_created(found)
                return
            if found["State"]["Running"]:
                return  # somebody else was quicker: the engine, or docker start
            self._volumes.use(found)
            await self._delete(found)
        volumes = self._volumes.of(action.replica, self._containers.current())
        if revision.id == FOREIGN:
            await self._clone(action, project, volumes)
        else:
            await self._make(action, _with_limits_of(revision, project), project, volumes)

    async def draft(self, revision: Revision, project: Project) -> Draft:
        """What a container of a revision is made from that is no replica: the same, without its names."""
        revision, service = _with_limits_of(revision, project), revision.service
        image, placement = await self._image(revision), self._placement(revision, project)
        placement.hosts |= hosts_for(service, placement, is_replica=False)
        replica = replica_id(service.name, revision.id, 0)
        body = create_body(revision, replica, placement, attempt=1, number=1, image=image)
        await ensure_networks(self._engine, project, [], (service,))
        links = links_for(service, placement)
        names = network_endpoints(service, placement)
        endpoints = {name: {"Links": links[name]} if name in links else {} for name in names}
        folder = body.get("WorkingDir") or (await images.config(self._engine, image)).get("WorkingDir") or "/"
        return Draft(body, endpoints, folder)

    async def _make(self, action: StartReplica, revision: Revision, project: Project, volumes: dict[str, str]) -> None:
        """`volumes`: what the container before it had in volumes without a name goes on in this one."""
        service = revision.service
        image = await self._image(revision)
        taken = await taken_names(self._engine)
        number = self._names.number(service.name, self._containers.current(), taken)
        placement = self._placement(revision, project)
        placement.hosts |= hosts_for(service, placement)
        body = create_body(revision, action.replica, placement, attempt=action.attempt, number=number, image=image)
        host = body["HostConfig"]
        bound = {entry.split(":")[1] for entry in host.get("Binds") or ()}
        declared = await images.volumes(self._engine, image) - (host.get("Tmpfs") or {}).keys() - bound
        body["HostConfig"]["Mounts"] = with_inherited(body["HostConfig"]["Mounts"], volumes, declared)
        await ensure_networks(self._engine, project, [], (service,))  # somebody may have removed one
        has_front = service.name in self._containers.fronts()
        name = self._names.name(service, number, taken, has_front=has_front)
        endpoints = network_endpoints(service, placement)
        for network, links in links_for(service, placement).items():
            endpoints[network]["Links"] = links
        if first := next(iter(endpoints), None):
            body["NetworkingConfig"] = {"EndpointsConfig": {first: endpoints[first]}}
        try:
            await self._create(name, body, endpoints)
        finally:
            self._names.made(number)

    async def _create(self, name: str, body: dict[str, Any], endpoints: dict[str, dict[str, Any]]) -> None:
        """Create, join the networks after the first one, which the body names, and start."""
        async with trouble(f'create container "{name}"'):
            created = await self._engine.containers.create(body, name=name)
        for network, settings in list(endpoints.items())[1:]:
            async with trouble(f'connect container "{name}" to network "{network}"'):
                joined = await self._engine.networks.get(network)
                await joined.connect({"Container": created.id, "EndpointConfig": settings})
        fresh = await self._containers.refresh(created.id)
        if fresh is not None:
            self._volumes.note([fresh])
            await self._start_created(fresh)

    async def _start_created(self, container: dict[str, Any]) -> None:
        """A daemon that died between creating and starting left a container in state "created"."""
        if container["State"]["Status"] != "created":
            return
        self._post_start.expect(container)
        try:
            async with trouble(f'start container "{container["Name"].lstrip("/")}"'):
                await self._engine.containers.container(container["Id"]).start()
        finally:  # what the engine says of one that it could not start is the reason that people look for
            await self._containers.refresh(container["Id"])

    async def _clone(self, action: StartReplica, project: Project, volumes: dict[str, str]) -> None:
        """Bring back what Compose had made, out of its container that has ended: for the way back of an adoption."""
        service, known = service_of(action.replica), self._containers.current()
        originals = [found for found in known if is_foreign(found)]
        same = [found for found in originals if service_of(replica_of(found) or action.replica) == service]
        model = next((found for found in same if replica_of(found) == action.replica), next(iter(same), None))
        if model is None:
            raise RuntimeTrouble(f'cannot bring back service "{service}": its container was removed')
        number = self._names.number(service, known, await taken_names(self._engine))
        name = container_name(project.name, service, number)
        wanted = project.services.get(service)
        restart = wanted.restart if wanted is not None else None
        endpoints = clone_endpoints(model, known, self._containers.fronts())
        body = clone_body(model, action.replica, restart, endpoints, attempt=action.attempt, number=number)
        host = body["HostConfig"]
        host["Mounts"] = with_inherited(host.get("Mounts") or [], volumes, anonymous_volumes(model))
        try:
            await self._create(name, body, endpoints)
        finally:
            self._names.made(number)

    async def _image(self, revision: Revision) -> str:
        wanted = revision.release or revision.service.image
        assert wanted is not None
        if await images.present(self._engine, wanted) is None:
            if "@" in wanted:  # somebody removed it; the registry has the same bytes
                with suppress(BuildTrouble):
                    await images.pull(self._engine, wanted, lambda line: None)
                    return wanted
            raise RuntimeTrouble(
                f'cannot start a replica of "{revision.service.name}": image "{wanted}" is not here any more',
                hint="pull or build it again with midair up",
            )
        return wanted

    def _placement(self, revision: Revision, project: Project) -> Placement:
        inside, files = self._inside, self._files.mounts(revision.service)
        if inside is None:
            return Placement(project, files=files, publish_loopback=True)
        inside.mkdir(mode=0o755, parents=True, exist_ok=True)
        return Placement(project, files=files, inside=str(inside))


def _with_limits_of(revision: Revision, project: Project) -> Revision:
    """Limits change in place and so are no part of a revision: a new replica gets those of the project."""
    service = project.services.get(revision.service.name)
    if service is None:
        return revision
    fields = {name: value for name, value in revision.service.fields.items() if name not in IN_PLACE}
    fields |= {name: value for name, value in service.fields.items() if name in IN_PLACE}
    return replace(revision, service=replace(revision.service, fields=fields, restart=service.restart))
