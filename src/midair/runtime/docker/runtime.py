"""The Docker runtime: observes containers, performs actions on them, decides nothing."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError
from msgspec.structs import replace

from midair.errors import BuildTrouble, RuntimeTrouble
from midair.model.action import RemoveReplica, ResizeReplica, RuntimeAction, StartReplica, StopReplica
from midair.model.ids import ReplicaId, service_of
from midair.model.project import Hook, Port, Project, Revision, Service
from midair.model.seen import ReplicaSeen
from midair.runtime.base import Progress
from midair.runtime.docker import images, resize, shared
from midair.runtime.docker.client import connect, remembered, trouble
from midair.runtime.docker.ending import end, run_hook
from midair.runtime.docker.files import Files, unavailable
from midair.runtime.docker.limits import IN_PLACE
from midair.runtime.docker.names import Names, taken_names
from midair.runtime.docker.readiness import Readiness
from midair.runtime.docker.translate import (
    Placement,
    attempt_of,
    clone_body,
    container_name,
    create_body,
    inside,
    is_foreign,
    kept_by,
    kept_of,
    network_endpoints,
    replica_of,
    target_ports,
)  # fmt: skip
from midair.runtime.docker.watch import Containers

_ENDED = ("exited", "dead", "created", "removing")
FOREIGN = "compose"  # revision of containers that `docker compose up` made


class DockerRuntime:
    """Runs the replicas of one project as containers. See `runtime.base.Runtime`."""

    name = "docker"

    def __init__(self, project: str, home: Path, clock: Callable[[], float]) -> None:
        self._name = project
        self._folder = home / "projects" / project
        self._clock = clock
        self._files = Files(self._folder / "files")
        self._inside = self._folder / "inside"  # where the daemon serves the project's flags
        self._project = Project(name=project, services={})
        self._client: aiodocker.Docker | None = None
        self._containers: Containers | None = None
        self._readiness = Readiness(clock, self._nudge, self._folder / "docker.json", self._execute)
        self._ending: dict[ReplicaId, asyncio.Task[None]] = {}
        self._starting: set[ReplicaId] = set()
        self._names = Names(project)
        self._listeners: list[Callable[[], None]] = []
        self._desktop = False
        self._cpus = 1
        self._host = ""  # as DOCKER_HOST names it; "": where the docker command looks by itself

    async def open(self) -> None:
        """Find the engine and what runs there already."""
        environment = remembered(dict(os.environ), self._folder)
        self._client = await connect(environment)
        self._host = environment.get("DOCKER_HOST", "")
        async with trouble("ask the Docker engine what it is"):
            info = await self._client.system.info()
        self._cpus = int(info["NCPU"])
        self._desktop = "Desktop" in str(info.get("OperatingSystem", ""))
        self._containers = Containers(self._client, self._name)
        await self._containers.open(self._nudge)

    async def close(self) -> None:
        """Let go. Containers go on."""
        for task in self._ending.values():
            task.cancel()
        await asyncio.gather(*self._ending.values(), return_exceptions=True)
        await self._readiness.close()
        if self._containers is not None:
            await self._containers.close()
        if self._client is not None:
            await self._client.close()

    async def arrange(self, project: Project) -> dict[str, tuple[Port, ...]]:
        """Make networks, volumes, files and the addresses of names. Raises RuntimeTrouble."""
        await asyncio.to_thread(self._files.keep, project)
        made: list[str] = []
        try:
            await shared.ensure_networks(self._engine, project, made)
            await shared.ensure_volumes(self._engine, project)
            return await self._addresses(project, made)
        except RuntimeTrouble:
            for network in made:  # nothing comes of it
                with suppress(RuntimeTrouble):
                    await shared.remove_network(self._engine, network)
            raise

    async def _addresses(self, project: Project, made: list[str]) -> dict[str, tuple[Port, ...]]:
        names: dict[str, tuple[Port, ...]] = {}
        for service in project.services.values():
            ports = await self._ports_of(service)
            if service.runtime == self.name and ports and not self._desktop and not service.fields.get("network_mode"):
                address = await shared.ensure_address(self._engine, project.name, service.name, made)
                if address:
                    names[service.name] = tuple(inside(service, port, address) for port in ports)
        return names

    def in_force(self, project: Project) -> None:
        """Limits are compared with this project's, and new containers get its hosts."""
        self._project = project

    async def observe(self) -> tuple[ReplicaSeen, ...]:
        """Every container of the project that belongs to a service."""
        assert self._containers is not None
        return tuple(
            self._seen(container)
            for container in self._containers.current()
            if not (is_foreign(container) and container["State"]["Status"] in _ENDED)  # kept for a way back alone
        )

    async def perform(self, action: RuntimeAction, revision: Revision | None) -> None:
        """Carry out an action, or begin to."""
        if isinstance(action, StartReplica):
            assert revision is not None, "a start needs its revision"
            if action.replica not in self._starting:
                self._starting.add(action.replica)
                try:
                    await self._start(action, revision)
                finally:
                    self._starting.discard(action.replica)
        elif isinstance(action, StopReplica):
            self._stop(action)
        elif isinstance(action, ResizeReplica):
            await self._resize(action)
        else:
            await self._remove(action)

    async def adapt(self, revision: Revision) -> None:
        """Let the replicas of a revision take what may differ while its id stays."""
        self._readiness.adapt(revision.service.name, revision.id, kept_of(revision.service))

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` whenever a container's state has changed."""
        self._listeners.append(nudge)

    async def fingerprint(self, service: Service) -> str | None:
        """The image that the service would run now."""
        return await images.fingerprint(self._engine, self._name, service)

    async def prepare(self, service: Service, progress: Progress, shell: Mapping[str, str] | None = None) -> str | None:
        """Pull or build, and pin."""
        return await images.prepare(self._engine, self._name, service, progress, self._host)

    async def prune(self, keep: set[str]) -> None:
        """Forget built images and files that nobody needs, replaced containers of Compose, and unused networks."""
        assert self._containers is not None
        await asyncio.to_thread(self._files.prune, keep)
        await images.prune(self._engine, self._name, keep)
        for container in self._containers.current():
            if is_foreign(container) and container["State"]["Status"] == "exited" and self._is_done(container, keep):
                await self._delete(container["Id"])
        await shared.sweep(self._engine, self._project, self._name)

    def _is_done(self, container: dict[str, Any], keep: set[str]) -> bool:
        """A container of Compose stays for as long as somebody can go back to it; none outlives the project."""
        services, replica = self._project.services, replica_of(container)
        return not services or (FOREIGN not in keep and replica is not None and service_of(replica) in services)

    async def check(self, service: Service, shell: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Reasons why the service could not be started here."""
        if service.image is None and service.build is None:
            return (f'service "{service.name}" has neither image nor build',)
        name = service.fields.get("container_name")
        owner = (await taken_names(self._engine)).get(name, self._name) if name else self._name
        clash = (
            f'container name "{name}" of service "{service.name}" belongs to a container that is not of this project'
        )
        return (*unavailable(service), *((clash,) if owner != self._name else ()))

    def log_files(self, service: str) -> tuple[tuple[str, str], ...]:
        """The engine's own log files, where this user may read them."""
        assert self._containers is not None
        found = [
            (str(replica), str(container.get("LogPath") or ""))
            for container in self._containers.current()
            if (replica := replica_of(container)) and service_of(replica) == service
        ]
        return tuple(sorted(entry for entry in found if entry[1]))

    @property
    def _engine(self) -> aiodocker.Docker:
        assert self._client is not None, "open() comes first"
        return self._client

    @property
    def _known(self) -> tuple[dict[str, Any], ...]:
        assert self._containers is not None, "open() comes first"
        return self._containers.current()

    def _nudge(self) -> None:
        for listener in self._listeners:
            listener()

    async def _execute(self, container: str, words: tuple[str, ...]) -> None:
        await run_hook(self._engine, container, Hook(words))

    def _find(self, replica: ReplicaId) -> dict[str, Any] | None:
        assert self._containers is not None
        return next((found for found in self._containers.current() if replica_of(found) == replica), None)

    def _seen(self, container: dict[str, Any]) -> ReplicaSeen:
        replica = replica_of(container)
        assert replica is not None
        service = self._project.services.get(service_of(replica))
        wrong = service is not None and not is_foreign(container) and resize.differs(container, service, self._cpus)
        return self._readiness.seen(
            container,
            replica,
            starting=replica in self._starting,
            stopping=replica in self._ending,
            resize=wrong,
        )

    async def _start(self, action: StartReplica, revision: Revision) -> None:
        found = self._find(action.replica)
        if found is not None:
            if attempt_of(found) >= action.attempt or found["State"]["Status"] == "restarting":
                return await self._start_created(found, revision)
            if found["State"]["Running"]:
                raise RuntimeTrouble(f'cannot start replica "{action.replica}" again: it is still running')
            await self._delete(found["Id"])
        if revision.id == FOREIGN:
            return await self._clone(action)
        image = await self._image(revision)
        taken = await taken_names(self._engine)
        number = self._names.number(revision.service.name, self._known, taken)
        self._inside.mkdir(mode=0o755, parents=True, exist_ok=True)
        placement = self._placement(revision.service)
        revision = self._with_limits_of_today(revision)
        body = create_body(revision, action.replica, placement, attempt=action.attempt, number=number, image=image)
        name = self._names.name(revision.service, number, taken)
        assert self._containers is not None
        try:
            async with trouble(f'create container "{name}"'):
                created = await self._engine.containers.create(body, name=name)
            endpoints = network_endpoints(revision.service, placement, action.replica)
            for network, settings in list(endpoints.items())[1:]:
                async with trouble(f'connect container "{name}" to network "{network}"'):
                    await (await self._engine.networks.get(network)).connect(
                        {"Container": created.id, "EndpointConfig": settings}
                    )
            fresh = await self._containers.refresh(created.id)
            if fresh is not None:
                await self._start_created(fresh, revision)
        finally:
            self._names.made(number)

    async def _start_created(self, container: dict[str, Any], revision: Revision) -> None:
        """A daemon that died between creating and starting left a container in state "created"."""
        assert self._containers is not None
        if container["State"]["Status"] != "created":
            return
        async with trouble(f'start container "{container["Name"].lstrip("/")}"'):
            await self._engine.containers.container(container["Id"]).start()
        await self._containers.refresh(container["Id"])
        for hook in revision.service.post_start:
            await self._post_start(container["Id"], hook)

    async def _post_start(self, container: str, hook: Hook) -> None:
        try:
            await run_hook(self._engine, container, hook)
        except RuntimeTrouble:
            # Compose: a container whose post_start fails is stopped.
            with suppress(RuntimeTrouble, DockerError):
                await self._engine.containers.container(container).kill()
            raise

    def _stop(self, action: StopReplica) -> None:
        found = self._find(action.replica)
        if found is None or action.replica in self._ending or found["State"]["Status"] in _ENDED:
            return
        task = asyncio.create_task(self._end(action, found["Id"], kept_by(found).pre_stop))
        self._ending[action.replica] = task
        self._nudge()

    async def _resize(self, action: ResizeReplica) -> None:
        found, service = self._find(action.replica), self._project.services.get(service_of(action.replica))
        if found is not None and service is not None and found["State"]["Running"]:
            assert self._containers is not None
            await resize.resize(self._engine, found, service, self._cpus)
            await self._containers.refresh(found["Id"])

    async def _clone(self, action: StartReplica) -> None:
        """Bring back what Compose had made, out of its container that has ended: for the way back of an adoption."""
        assert self._containers is not None
        service = service_of(action.replica)
        originals = [found for found in self._containers.current() if is_foreign(found)]
        model = next((found for found in originals if service_of(replica_of(found) or action.replica) == service), None)
        if model is None:
            raise RuntimeTrouble(f'cannot bring back service "{service}": its container was removed')
        number = self._names.number(service, self._known, await taken_names(self._engine))
        name = container_name(self._name, service, number)
        async with trouble(f'create container "{name}"'):
            body = clone_body(model, action.replica, action.attempt, number)
            created = await self._engine.containers.create(body, name=name)
            await self._engine.containers.container(created.id).start()
        self._names.made(number)
        await self._containers.refresh(created.id)

    async def _end(self, action: StopReplica, container: str, hooks: tuple[Hook, ...]) -> None:
        assert self._containers is not None
        try:
            with suppress(RuntimeTrouble):  # it is still seen running, so the core asks again
                await end(self._engine, container, action, hooks)
                await self._containers.refresh(container)
        finally:
            self._ending.pop(action.replica, None)
            self._nudge()

    async def _remove(self, action: RemoveReplica) -> None:
        found = self._find(action.replica)
        if found is None:
            return
        restarts = bool(found.get("RestartCount"))  # it had ended, and the engine was quicker
        if found["State"]["Running"] and not restarts:
            raise RuntimeTrouble(f'cannot remove replica "{action.replica}": it is still running')
        await self._delete(found["Id"], force=restarts)

    async def _delete(self, container: str, *, force: bool = False) -> None:
        assert self._containers is not None
        async with trouble(f'remove container "{container[:12]}"'):
            try:
                await self._engine.containers.container(container).delete(v=True, force=force)
            except DockerError as error:
                if error.status not in (404, 409):
                    raise
        await self._containers.refresh(container)
        self._readiness.forget(container)

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

    async def _ports_of(self, service: Service) -> tuple[int, ...]:
        """Ports that the name of the service has: those of the file, and those that its image exposes."""
        named = set(target_ports(service))
        if service.image:
            with suppress(DockerError, RuntimeTrouble):
                async with trouble("inspect the image"):
                    config = (await self._engine.images.inspect(service.image)).get("Config") or {}
                for entry in config.get("ExposedPorts") or {}:
                    port, _, protocol = entry.partition("/")
                    if protocol == "tcp":
                        named.add(int(port))
        return tuple(sorted(named))

    def _placement(self, service: Service) -> Placement:
        inside = "" if self._desktop else str(self._inside)  # sockets do not cross the border of its machine
        files = self._files.mounts(service)
        return Placement(self._project, files=files, inside=inside, publish_loopback=self._desktop)

    def _with_limits_of_today(self, revision: Revision) -> Revision:
        """Limits change in place and so are no part of a revision: a new replica gets those of the project."""
        service = self._project.services.get(revision.service.name)
        if service is None:
            return revision
        fields = {name: value for name, value in revision.service.fields.items() if name not in IN_PLACE}
        fields |= {name: value for name, value in service.fields.items() if name in IN_PLACE}
        return replace(revision, service=replace(revision.service, fields=fields, restart=service.restart))
