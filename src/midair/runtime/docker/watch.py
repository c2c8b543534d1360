"""What is known of the project's containers: kept current by the engine's events, looked at in full now and then."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiodocker
import aiohttp
from aiodocker.exceptions import DockerError

from midair.errors import RuntimeTrouble
from midair.model.ids import ReplicaId
from midair.runtime.docker.by_hand import ByHand
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import (
    COMPOSE,
    ERROR_LINE,
    FRONT,
    REPLICA,
    front_of,
    has_ended,
    is_foreign,
    is_left,
    replica_of,
)
from midair.runtime.error_line import error_line

_AGAIN_S = 15.0  # events may be missed; a look this often puts that right
_RETRY_S = 0.2  # an engine that begins again may give containers other addresses
_ANSWER_S = 0.05
_LOG_S, _LOG_LINES = 2.0, 60  # for the end of a log in which an error is looked for
_FOREVER = aiohttp.ClientTimeout(total=None)
_WORTH = {"create", "start", "die", "stop", "destroy", "rename", "pause", "unpause", "oom", "update"}


class Containers:
    """Inspections by container id. `current` raises while the engine cannot be asked."""

    def __init__(self, client: aiodocker.Docker, project: str, by_hand: ByHand) -> None:
        self._client = client
        self._by_hand = by_hand
        self._ours: set[str] = set()  # being removed by midair
        self._project = project
        self._known: dict[str, dict[str, Any]] = {}
        self._errors: dict[tuple[str, str], str] = {}  # by container, and when it ended
        self._fronts: dict[str, dict[str, Any]] = {}
        self._trouble: RuntimeTrouble | None = None
        self._nudge: Callable[[], None] = lambda: None
        self._tend: Callable[[], Awaitable[None]]
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, nudge: Callable[[], None], tend: Callable[[], Awaitable[None]]) -> None:
        """Look once, then follow. Raises RuntimeTrouble when the engine cannot be asked.

        `tend` looks after what else the engine has to have, whenever everything is looked at again.
        """
        self._nudge, self._tend = nudge, tend
        await self.look()
        await self._hear_past()
        await self._remove_unstarted()
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._look_again())]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _remove_unstarted(self) -> None:
        """A daemon that died between making a container and starting it left one that never ran: it is made anew."""
        for container in tuple(self._known.values()):
            if container["State"]["Status"] == "created" and not is_foreign(container):
                async with trouble(f'remove container "{container["Name"].lstrip("/")}"'):
                    await self._client.containers.container(container["Id"]).delete()
                self._known.pop(container["Id"])

    def removes(self, container: str) -> None:
        """This container is about to be removed by midair."""
        self._ours.add(container)

    def current(self) -> tuple[dict[str, Any], ...]:
        """Every container of the project that belongs to a service."""
        if self._trouble is not None:
            raise self._trouble
        return tuple(self._known.values())

    def fronts(self) -> dict[str, dict[str, Any]]:
        """The container of each service that is its front."""
        if self._trouble is not None:
            raise self._trouble
        return {front_of(container): container for container in self._fronts.values()}

    def of(self, replica: ReplicaId) -> dict[str, Any] | None:
        """The container of a replica. One of Compose's that has ended is kept for a way back alone."""
        found = [one for one in self.current() if replica_of(one) == replica and not is_left(one)]
        return next(iter(sorted(found, key=has_ended)), None)

    async def find(self, replica: ReplicaId) -> dict[str, Any] | None:
        """The same, asked of the engine: what is remembered may be old, and no replica may get a second container."""
        known = self.of(replica)
        async with trouble("list containers"):
            labels = {"label": [f"{COMPOSE}project={self._project}", f"{REPLICA}={replica}"]}
            listed = await self._client.containers.list(all=True, filters=labels)
        for container in {entry.id for entry in listed} | ({known["Id"]} if known else set()):
            await self.refresh(container)
        return self.of(replica)

    async def look(self) -> None:
        """Inspect all of them."""
        before = {*self._known, *self._fronts}
        try:
            async with trouble("list containers"):
                labels = {"label": [f"{COMPOSE}project={self._project}"]}
                listed = await self._client.containers.list(all=True, filters=labels)
            listed = [entry for entry in listed if _is_lasting(entry._container.get("Labels") or {})]
            for container in before - {entry.id for entry in listed}:
                self._take_in(container, None)
            for entry in listed:  # one by one: nothing that is heard meanwhile gives way to what was before it
                self._take_in(entry.id, await self._inspect(entry.id))
        except RuntimeTrouble as error:
            is_news = self._trouble is None or self._trouble.message != error.message
            self._trouble = error
            if is_news:
                self._nudge()
            raise
        self._trouble = None
        self._nudge()

    async def refresh(self, container: str) -> dict[str, Any] | None:
        """Inspect one of them; None when it is gone."""
        found = await self._inspect(container)
        self._take_in(container, found)
        self._nudge()
        return found

    def _take_in(self, container: str, found: dict[str, Any] | None) -> None:
        if found is None:
            known = self._known.pop(container, None)
            if known is not None and container not in self._ours:
                self._by_hand.gone(known)
            self._ours.discard(container)
            self._fronts.pop(container, None)
            for key in [key for key in self._errors if key[0] == container]:
                del self._errors[key]
        elif front_of(found):
            self._fronts[found["Id"]] = found
        elif replica_of(found) and _is_lasting(found["Config"]["Labels"]):
            self._known[found["Id"]] = found

    async def _inspect(self, container: str) -> dict[str, Any] | None:
        async with trouble(f'inspect container "{container[:12]}"'):
            try:
                found: dict[str, Any] = await self._client.containers.container(container).show()
            except DockerError as error:
                if error.status == 404:
                    return None
                raise
        await self._note_error(found)
        return found

    async def _note_error(self, found: dict[str, Any]) -> None:
        """Put the line that names why a container ended beside its exit code: neither is seen without the other."""
        state = found["State"]
        if state["Status"] not in ("exited", "dead", "restarting") or not state.get("ExitCode"):
            return
        key = (str(found["Id"]), str(state.get("FinishedAt")))
        if key not in self._errors:
            self._errors[key] = ""
            with suppress(DockerError, aiohttp.ClientError, TimeoutError, ValueError):
                async with asyncio.timeout(_LOG_S):
                    container = self._client.containers.container(found["Id"])
                    log = await container.log(stdout=True, stderr=True, tail=_LOG_LINES)
                    self._errors[key] = error_line("".join(log))
        state[ERROR_LINE] = self._errors[key]

    @property
    def _filters(self) -> dict[str, list[str]]:
        return {"type": ["container"], "label": [f"{COMPOSE}project={self._project}"]}

    async def _follow(self) -> None:
        while True:
            with suppress(RuntimeTrouble, ValueError):  # the latter: half a line, which an engine that dies leaves
                async with trouble("follow the engine's events"):
                    await self._follow_once(json.dumps(self._filters))
            await asyncio.sleep(_RETRY_S)
            with suppress(RuntimeTrouble):
                await self.look()

    async def _follow_once(self, filters: str) -> None:
        async with self._client._query("events", params={"filters": filters}, timeout=_FOREVER) as answer:
            try:
                await self.look()
                async for line in answer.content:
                    await self._take(line)
            finally:
                answer.close()

    async def _hear_past(self) -> None:
        """What was stopped by hand while no daemon was there: the engine remembers its last events."""
        params = {"filters": json.dumps(self._filters), "since": "1", "until": str(int(time.time()) + 1)}
        async with trouble("read the engine's events"), self._client._query("events", params=params) as answer:
            async for line in answer.content:
                with suppress(ValueError):
                    event = json.loads(line)
                    self._by_hand.hear(event, self._known.get((event.get("Actor") or {}).get("ID", "")))

    async def _take(self, line: bytes) -> None:
        event = json.loads(line)
        self._by_hand.hear(event, self._known.get((event.get("Actor") or {}).get("ID", "")))
        action = str(event.get("Action", ""))
        container = event["Actor"]["ID"]
        if action.split(":")[0] in _WORTH or action.startswith("health_status"):
            await self.refresh(container)
        elif action == "exec_die" and _is_asked(self._known.get(container)):
            await asyncio.sleep(_ANSWER_S)  # the engine notes the answer of its check a moment later
            await self.refresh(container)

    async def _look_again(self) -> None:
        while True:
            await asyncio.sleep(_AGAIN_S)
            with suppress(RuntimeTrouble):
                await self.look()
                await self._tend()


def _is_asked(container: dict[str, Any] | None) -> bool:
    """Whether the engine's check of a container has not succeeded yet."""
    health = ((container or {}).get("State") or {}).get("Health") or {}
    return health.get("Status") in ("starting", "unhealthy")


def _is_lasting(labels: dict[str, str]) -> bool:
    """Whether a container is a replica or a front, and not one that somebody runs once."""
    return labels.get(f"{COMPOSE}oneoff") == "False" or FRONT in labels
