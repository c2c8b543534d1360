"""Begins people's commands in the containers of one project, and ends those that a killed daemon left."""

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, NamedTuple

import aiodocker
from aiodocker.stream import Stream

from midair.errors import RuntimeTrouble
from midair.model.command import Command
from midair.model.ids import ReplicaId
from midair.model.project import Project, Revision, Service
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import ATTEMPT, COMPOSE, KEPT, REPLICA
from midair.runtime.docker.notes import Notes
from midair.runtime.docker.session import MARK, ContainerSession, ExecSession, signal_marked

SESSION = "io.midair.session"
_OF_REPLICAS = (REPLICA, ATTEMPT, KEPT, f"{COMPOSE}container-number")  # labels


class Draft(NamedTuple):
    """What a container like a replica is made from."""

    body: dict[str, Any]
    endpoints: dict[str, dict[str, Any]]  # by network, without names
    folder: str  # that it starts in


class Sessions:
    """`draft`: what a container of a revision is made from."""

    def __init__(
        self, client: aiodocker.Docker, project: str, notes: Notes,
        draft: Callable[[Revision, Project], Awaitable[Draft]],
    ) -> None:  # fmt: skip
        self._client, self._project, self._notes, self._draft = client, project, notes, draft

    async def end_left(self) -> None:
        """End what a daemon that was killed has left. Raises RuntimeTrouble."""
        async with trouble("end commands that were left"):
            labels = {"label": [f"{COMPOSE}project={self._project}", SESSION]}
            for entry in await self._client.containers.list(all=True, filters=labels):
                await entry.delete(force=True, v=True)
        for note in self._notes.all():
            container, mark, user = note.split(" ", 2)
            with suppress(RuntimeTrouble):  # the container has ended
                async with trouble("end a command that was left"):
                    await signal_marked(self._client.containers.container(container), mark, user, "SIGKILL")
            self._notes.discard(note)

    async def exec(self, replica: ReplicaId, container: dict[str, Any] | None, command: Command) -> ExecSession:
        """Run a command in the container of a replica. Raises RuntimeTrouble."""
        if container is None or not container["State"]["Running"]:
            raise RuntimeTrouble(f'cannot exec in "{replica}": it does not run')
        mark = secrets.token_hex(8)
        note = f"{container['Id']} {mark} {command.user}"
        self._notes.add(note)
        target = self._client.containers.container(container["Id"])
        folder = container["Config"].get("WorkingDir") or "/"
        try:
            async with trouble(f'exec in "{replica}"'):
                execution = await target.exec(
                    list(command.words),
                    stdin=True,
                    tty=command.tty,
                    user=command.user,
                    environment={**command.environment, MARK: mark},
                    workdir=_absolute(command.working_dir, folder) or None,
                )
                stream = await _open(execution.start(detach=False))
        except BaseException:
            self._notes.discard(note)
            raise
        session = ExecSession(
            target, execution, stream, mark=mark, user=command.user, tty=command.tty,
            cleared=lambda: self._notes.discard(note),
        )  # fmt: skip
        await session.resize(command.rows, command.columns)
        return session

    async def run(self, revision: Revision, project: Project, command: Command, *, publish: bool) -> ContainerSession:
        """Run a container that is no replica. Raises RuntimeTrouble."""
        service, number = revision.service, secrets.token_hex(4)
        draft = await self._draft(revision, project)
        body = run_body(draft, command, number, _bindings(service) if publish else {})
        first, *others = draft.endpoints or ("",)
        if first:
            body["NetworkingConfig"] = {"EndpointsConfig": {first: draft.endpoints[first]}}
        async with trouble(f'run a container of service "{service.name}"'):
            created = await self._client.containers.create(body, name=f"{project.name}-{service.name}-run-{number}")
            try:
                for name in others:
                    network = await self._client.networks.get(name)
                    await network.connect({"Container": created.id, "EndpointConfig": draft.endpoints[name]})
                stream = await _open(created.attach(stdin=True, stdout=True, stderr=True))
                try:
                    await created.start()
                except BaseException:
                    await stream.close()
                    raise
            except BaseException:
                await created.delete(force=True, v=True)
                raise
        session = ContainerSession(created, stream, tty=command.tty)
        await session.resize(command.rows, command.columns)
        return session


def run_body(draft: Draft, command: Command, number: str, bindings: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    """The create body of a container that is no replica: without its labels, ports, check, restarts and addresses."""
    body = {name: value for name, value in draft.body.items() if name not in ("MacAddress", "NetworkingConfig")}
    labels = {name: value for name, value in body["Labels"].items() if name not in _OF_REPLICAS}
    variables = dict(entry.split("=", 1) for entry in body["Env"]) | command.environment
    body |= {
        "Labels": labels | {f"{COMPOSE}oneoff": "True", SESSION: number},
        "Env": [f"{name}={value}" for name, value in variables.items()],
        "HostConfig": body["HostConfig"] | {"RestartPolicy": {"Name": "no"}, "PortBindings": bindings},
        "Healthcheck": {"Test": ["NONE"]},
        "Tty": command.tty,
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
    }
    if command.words:
        body["Cmd"] = list(command.words)
    if command.user:
        body["User"] = command.user
    if command.working_dir:
        body["WorkingDir"] = _absolute(command.working_dir, draft.folder)
    return body


def _bindings(service: Service) -> dict[str, list[dict[str, str]]]:
    """`PortBindings` of the published ports."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in service.ports:
        if not port.inside:
            name = f"{port.target}/{'udp' if port.protocol == 'udp' else 'tcp'}"
            bindings.setdefault(name, []).append({"HostIp": port.host, "HostPort": str(port.port)})
    return bindings


def _absolute(folder: str, start: str) -> str:
    return folder if not folder or folder.startswith("/") else f"{start.rstrip('/')}/{folder}"


async def _open(stream: Stream) -> Stream:
    try:
        await stream._init()
    except BaseException:
        await stream.close()
        raise
    return stream
