"""The Docker runtime: observes containers, performs actions on them, decides nothing."""

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.action import FrontAction, RemoveReplica, ResizeReplica, RuntimeAction, StartReplica, StopReplica
from midair.model.command import Command
from midair.model.fronts import fronted
from midair.model.ids import FOREIGN, ReplicaId, service_of
from midair.model.plan import Written
from midair.model.project import Hook, Names, Project, Revision, Service
from midair.model.seen import FrontSeen, ReplicaSeen
from midair.runtime.base import CommandSession, Progress
from midair.runtime.docker import images, resize, shared
from midair.runtime.docker.builds import Builds
from midair.runtime.docker.by_hand import ByHand
from midair.runtime.docker.client import connect, remembered, trouble
from midair.runtime.docker.container import has_ended, is_foreign, is_left, replica_of
from midair.runtime.docker.ending import end, run_hook, signal_for
from midair.runtime.docker.files import Files, unavailable
from midair.runtime.docker.front.body import KEEPERS
from midair.runtime.docker.front.fronts import Fronts
from midair.runtime.docker.front.image import remove_unused
from midair.runtime.docker.front.names import names_of
from midair.runtime.docker.last_words import LINES, LastWords
from midair.runtime.docker.logs import ContainerLog, last_lines, logs_of
from midair.runtime.docker.make import Maker
from midair.runtime.docker.names import name_clash
from midair.runtime.docker.naming import Naming
from midair.runtime.docker.networks import ensure_networks
from midair.runtime.docker.notes import Notes
from midair.runtime.docker.post_start import PostStart
from midair.runtime.docker.readiness import Readiness
from midair.runtime.docker.sessions import Sessions
from midair.runtime.docker.shell import stop_advice
from midair.runtime.docker.since import Api, ignored, parse_api, refused
from midair.runtime.docker.translate import kept_of
from midair.runtime.docker.volumes import Volumes
from midair.runtime.docker.watch import Containers
from midair.source.context import Contexts
from midair.source.reader import Digests

_NONE: Mapping[str, bytes] = {}


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
        self._is_told = False  # what the project is to be
        self._client: aiodocker.Docker | None = None
        self._watched: Containers | None = None
        self._maker: Maker | None = None
        self._fronts: Fronts | None = None
        self._naming: Naming | None = None
        self._readiness = Readiness(clock, self._nudge, self._folder / "docker.json", self._execute)
        self._ending: dict[ReplicaId, asyncio.Task[None]] = {}
        self._not_ended: dict[ReplicaId, RuntimeTrouble] = {}  # why, for those that are asked again
        self._replaced = Notes(self._folder / "replaced.json")  # containers of Compose that midair has stopped
        self._volumes = Volumes(self._folder / "volumes.json")
        self._by_hand = ByHand(self._folder)
        self._last_words = LastWords(self._folder / "last-words")
        self._post_start: PostStart | None = None
        self._sessions: Sessions | None = None
        self._starting: set[ReplicaId] = set()
        self._listeners: list[Callable[[], None]] = []
        self._desktop = False
        self._api: Api = (0, 0)
        self._cpus = 1
        self._contexts = Contexts(Digests(self._folder / "contexts"), home)
        self._builds: Builds | None = None

    async def open(self) -> None:
        """Find the engine and what runs there already."""
        environment = remembered(dict(os.environ), self._folder)
        self._client = await connect(environment)
        host = environment.get("DOCKER_HOST", "")
        self._builds = Builds(self._client, self._name, self._contexts, host)
        async with trouble("ask the Docker engine what it is"):
            info = await self._client.system.info()
        self._cpus = int(info["NCPU"])
        self._api = parse_api((await self._client.version())["ApiVersion"])
        self._desktop = "Desktop" in str(info.get("OperatingSystem", ""))
        self._watched = Containers(self._client, self._name, self._by_hand)
        self._fronts = Fronts(self._client, self._watched, self._folder / KEEPERS)
        reachable = None if self._desktop else self._inside  # sockets do not cross the border of its machine
        self._post_start = PostStart(self._client, Notes(self._folder / "post-start.json"), self._nudge)
        self._maker = Maker(
            self._client, self._name, self._watched, self._files, reachable, self._post_start, self._volumes,
            self._delete,
        )  # fmt: skip
        self._sessions = Sessions(self._client, self._name, Notes(self._folder / "sessions.json"), self._maker.draft)
        await self._sessions.end_left()
        await self._watched.open(self._nudge, self._restore)
        self._volumes.note(self._watched.current())
        self._naming = Naming(self._client, self._watched, lambda: self._project, self._ready)

    async def close(self) -> None:
        """Let go. Containers go on."""
        for task in self._ending.values():
            task.cancel()
        await asyncio.gather(*self._ending.values(), return_exceptions=True)
        if self._naming is not None:
            await self._naming.close()
        await self._readiness.close()
        if self._post_start is not None:
            await self._post_start.close()
        if self._watched is not None:
            await self._watched.close()
        if self._client is not None:
            await self._client.close()

    async def arrange(self, project: Project) -> dict[str, Names]:
        """Make networks, volumes, files and the addresses of names. Raises RuntimeTrouble."""
        await asyncio.to_thread(self._files.keep, project)
        made: list[str] = []
        try:
            await ensure_networks(self._engine, project, made, project.services.values())
            await shared.ensure_volumes(self._engine, project)
            if self._desktop:
                return {}  # the gateways of its networks are inside its machine, where the router is not
            return await names_of(self._engine, project, fronted(project), self._project)
        except RuntimeTrouble:
            for network in made:  # nothing comes of it
                with suppress(RuntimeTrouble):
                    await shared.remove_network(self._engine, network)
            raise

    def in_force(self, project: Project) -> None:
        """Limits are compared with this project's, and new containers get its hosts."""
        self._project, self._is_told = project, True

    async def observe(self) -> tuple[ReplicaSeen, ...]:
        """Every container of the project that belongs to a service."""
        seen = [self._seen(container) for container in self._containers.current() if not is_left(container)]
        known = {replica.id for replica in seen}
        gone = [entry for entry in self._by_hand.removed().items() if entry[0] not in known]
        return (*seen, *(self._readiness.removed(replica, code) for replica, code in gone))

    async def observe_fronts(self) -> tuple[FrontSeen, ...]:
        """Every front of the project."""
        assert self._fronts is not None, "open() comes first"
        return self._fronts.seen(self._project)

    async def perform_front(self, action: FrontAction) -> None:
        """See to a front, or remove it."""
        assert self._fronts is not None, "open() comes first"
        await self._fronts.perform(action, self._project)

    async def perform(self, action: RuntimeAction, revision: Revision | None) -> None:
        """Carry out an action, or begin to."""
        self._volumes.note(self._containers.current())
        if isinstance(action, StartReplica | RemoveReplica):
            self._by_hand.forget(action.replica)
        if isinstance(action, StartReplica):
            assert revision is not None, "a start needs its revision"
            assert self._maker is not None, "open() comes first"
            if action.replica not in self._starting:
                self._starting.add(action.replica)
                try:
                    await self._maker.start(action, revision, self._project)
                finally:
                    self._starting.discard(action.replica)
        elif isinstance(action, StopReplica):
            self._stop(action)
        elif isinstance(action, ResizeReplica):
            await self._resize(action)
        else:
            await self._remove(action)
            if self._naming is not None:
                with suppress(RuntimeTrouble):  # tried again when something is new
                    await self._naming.settle()

    async def exec(self, replica: ReplicaId, command: Command) -> CommandSession:
        """Run a command in the container of a replica."""
        assert self._sessions is not None, "open() comes first"
        return await self._sessions.exec(replica, self._containers.of(replica), command)

    async def run(self, revision: Revision, command: Command, *, publish: bool) -> CommandSession:
        """Run a container that is no replica."""
        assert self._sessions is not None, "open() comes first"
        return await self._sessions.run(revision, self._project, command, publish=publish)

    async def written(self, release: str) -> Written:
        """Nothing: what a container writes beside its volumes goes with it, as people who use containers expect."""
        return Written()

    async def belongings(self) -> tuple[str, ...]:
        """Nothing: volumes stay when a project is forgotten."""
        return ()

    async def adapt(self, revision: Revision) -> None:
        """Let the replicas of a revision take what may differ while its id stays."""
        self._readiness.adapt(revision.service.name, revision.id, kept_of(revision.service))

    def on_change(self, nudge: Callable[[], None]) -> None:
        """Call `nudge` whenever a container's state has changed."""
        self._listeners.append(nudge)

    async def fingerprint(
        self, service: Service, known: Revision | None = None, *, keep: bool = False, builds: bool = False
    ) -> str | None:
        """The image that the service would run now."""
        return await self._built.fingerprint(service, known, builds=builds)

    async def bases(self, release: str) -> Mapping[str, str]:
        """The base images of an image that was built here."""
        return await self._built.bases(release)

    async def prepare(
        self, service: Service, progress: Progress, shell: Mapping[str, str] | None = None, *,
        release: str | None = None, contents: Mapping[str, bytes] = _NONE,
    ) -> str | None:  # fmt: skip
        """Pull or build, and pin."""
        return await self._built.prepare(service, progress, release, contents)

    async def unsupported(self, service: Service) -> tuple[str, ...]:
        """What the docker command at hand has no option for, or an engine this old would ignore unseen."""
        return (*await self._built.unsupported(service), *refused(service, self._api))

    async def fetch(self, revision: Revision, progress: Progress) -> str:
        """Pull or build what was removed, where that leads to the same image."""
        service = revision.service.name
        if revision.id == FOREIGN:
            known = (replica_of(one) for one in self._containers.current() if is_foreign(one))
            is_here = any(replica is not None and service_of(replica) == service for replica in known)
            return "" if is_here else f'the container of service "{service}" that Compose had made was removed'
        return await self._built.fetch(revision, progress)

    async def forget(self) -> tuple[str, ...]:
        """Containers that were left, networks, images that midair built, and volumes without a name."""
        self.in_force(Project(name=self._name, services={}))
        if self._sessions is not None:
            await self._sessions.end_left()
        self._volumes.note(self._containers.current())
        await self.prune(set())
        return tuple(await self._volumes.remove(self._engine))

    async def prune(self, keep: set[str]) -> None:
        """Forget built images and files that nobody needs, replaced containers of Compose, and unused networks."""
        if not self._is_told:
            return
        await asyncio.to_thread(self._files.prune, keep)
        for container in self._containers.current():
            if is_left(container) and self._is_done(container, keep):
                await self._delete(container)
                self._replaced.discard(container["Id"])
        await self._built.prune(keep)
        assert self._fronts is not None, "open() comes first"
        await self._fronts.remove_strangers(self._project)
        await shared.sweep(self._engine, self._project, self._name)
        if not self._project.services:
            await remove_unused(self._engine)

    def _is_done(self, container: dict[str, Any], keep: set[str]) -> bool:
        """What replaced it can be undone for a while. What midair has not replaced is not its own to remove."""
        return not self._project.services or (FOREIGN not in keep and container["Id"] in self._replaced)

    async def check(self, service: Service, shell: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Reasons why the service could not be started here."""
        if service.image is None and service.build is None:
            return (f'service "{service.name}" has neither image nor build',)
        return (*unavailable(service), *await name_clash(self._engine, service, self._name))

    async def advise(self, service: Service, release: str | None) -> tuple[str, ...]:
        """Fields that this engine ignores, and a first process that ignores the stop signal."""
        config = await images.config(self._engine, release or service.image or "")
        return (*ignored(service, self._api), *stop_advice(service, config))

    def log_files(self, service: str) -> tuple[tuple[str, str], ...]:
        """The last words of containers that were removed."""
        return tuple(self._last_words.files(service))

    def container_logs(self, service: str) -> tuple[tuple[ReplicaId, ContainerLog], ...]:
        """Those of every container of the service, also of replaced ones that Compose had made."""
        return logs_of(self._engine, self._containers.current(), service)

    @property
    def _engine(self) -> aiodocker.Docker:
        assert self._client is not None, "open() comes first"
        return self._client

    @property
    def _built(self) -> Builds:
        assert self._builds is not None, "open() comes first"
        return self._builds

    @property
    def _containers(self) -> Containers:
        assert self._watched is not None, "open() comes first"
        return self._watched

    def _ready(self) -> set[ReplicaId]:
        seen = (self._seen(container) for container in self._containers.current() if not is_left(container))
        return {replica.id for replica in seen if replica.state == "ready"}

    def _nudge(self) -> None:
        if self._naming is not None:
            self._naming.changed()
        for listener in self._listeners:
            listener()

    async def _execute(self, container: str, words: tuple[str, ...]) -> None:
        await run_hook(self._engine, container, Hook(words))

    def _seen(self, container: dict[str, Any]) -> ReplicaSeen:
        replica = replica_of(container)
        assert replica is not None
        service = self._project.services.get(service_of(replica))
        wrong = service is not None and not is_foreign(container) and resize.differs(container, service, self._cpus)
        stops = replica in self._ending
        waits = not stops and self._post_start is not None and self._post_start.is_due(container)
        return self._readiness.seen(
            container,
            replica,
            starting=replica in self._starting or waits,
            stopping=stops,
            resize=wrong,
            by_hand="stopped" if not stops and self._by_hand.has_stopped(container) else "",
        )

    def _stop(self, action: StopReplica) -> None:
        found = self._containers.of(action.replica)
        if found is None or action.replica in self._ending or has_ended(found):
            return
        if (reason := self._not_ended.pop(action.replica, None)) is not None:
            raise reason  # so that it is told, and asked again after a while
        if is_foreign(found):
            with suppress(RuntimeTrouble):  # without room for it the container is kept for ever
                self._replaced.add(found["Id"])
        self._ending[action.replica] = asyncio.create_task(self._end(action, found))
        self._nudge()

    async def _resize(self, action: ResizeReplica) -> None:
        found, service = self._containers.of(action.replica), self._project.services.get(service_of(action.replica))
        if found is not None and service is not None and found["State"]["Running"]:
            await resize.resize(self._engine, found, service, self._cpus)
            await self._containers.refresh(found["Id"])

    async def _end(self, action: StopReplica, container: dict[str, Any]) -> None:
        hooks = self._readiness.kept(container, action.replica).pre_stop
        signal = signal_for(self._project.services.get(service_of(action.replica)), container, action.signal)
        try:
            await end(self._engine, container["Id"], signal, action.grace_s, hooks)
            await self._containers.refresh(container["Id"])
        except RuntimeTrouble as error:
            self._not_ended[action.replica] = error
        finally:
            self._ending.pop(action.replica, None)
            self._nudge()

    async def _remove(self, action: RemoveReplica) -> None:
        found = self._containers.of(action.replica)
        if found is None:
            return
        restarts = bool(found.get("RestartCount"))  # it had ended, and the engine was quicker
        if found["State"]["Running"] and not restarts:
            raise RuntimeTrouble(f'cannot remove replica "{action.replica}": it is still running')
        self._volumes.use(found)
        await self._delete(found, force=restarts)

    async def _delete(self, container: dict[str, Any], *, force: bool = False) -> None:
        """Remove a container that has ended, and none of what it kept. Raises RuntimeTrouble if it is not gone then."""
        one, replica = str(container["Id"]), replica_of(container)
        if replica is not None:
            lines = await last_lines(self._engine, one, LINES, is_tty=container["Config"]["Tty"])
            await asyncio.to_thread(self._last_words.keep, replica, lines)
        self._containers.removes(one)
        async with trouble(f'remove container "{one[:12]}"'):
            try:
                await self._engine.containers.container(one).delete(force=force, timeout=60)
            except DockerError as error:
                if error.status not in (404, 409):
                    raise
        if await self._containers.refresh(one) is not None:
            raise RuntimeTrouble(f'cannot remove container "{one[:12]}": it runs again, or its end takes long')
        self._readiness.forget(one)
        if self._post_start is not None:
            self._post_start.forget(one)

    async def _restore(self) -> None:
        """What somebody may have removed and the names of services need."""
        if not self._desktop:
            await shared.restore_addresses(self._engine, self._project)
