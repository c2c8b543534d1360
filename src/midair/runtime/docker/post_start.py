"""`post_start`: run inside each container that midair starts, before the replica counts as ready."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiodocker

from midair.errors import RuntimeTrouble
from midair.model.project import Hook
from midair.runtime.docker.client import trouble
from midair.runtime.docker.container import kept_by
from midair.runtime.docker.ending import run_hook
from midair.runtime.docker.notes import Notes

log = logging.getLogger(__name__)
_HOOK_S = 60.0  # each


class PostStart:
    """Which containers still wait for their hooks. A container whose hooks fail is killed, as Compose stops it."""

    def __init__(self, client: aiodocker.Docker, notes: Notes, nudge: Callable[[], None]) -> None:
        self._client, self._notes, self._nudge = client, notes, nudge
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def expect(self, container: dict[str, Any]) -> None:
        """It is about to be started. Raises RuntimeTrouble."""
        if kept_by(container).post_start:
            self._notes.add(container["Id"])

    def is_due(self, container: dict[str, Any]) -> bool:
        """Whether its hooks have not all succeeded. Those of a running one are begun if nobody runs them."""
        one = str(container["Id"])
        if one not in self._notes:
            return False
        if container["State"]["Running"] and one not in self._tasks:
            self._tasks[one] = asyncio.create_task(self._run(one, kept_by(container).post_start))
        return True

    def forget(self, container: str) -> None:
        """It is gone."""
        self._notes.discard(container)

    async def close(self) -> None:
        """Let go: the next daemon runs them again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, container: str, hooks: tuple[Hook, ...]) -> None:
        try:
            for hook in hooks:
                async with asyncio.timeout(_HOOK_S):
                    await run_hook(self._client, container, hook)
            self._notes.discard(container)
        except (RuntimeTrouble, TimeoutError) as error:
            log.warning("post_start of container %s: %s", container[:12], error or "no end in time")
            with suppress(RuntimeTrouble):  # then it still waits for its hooks, and they are begun again
                async with trouble(f'end container "{container[:12]}"'):
                    await self._client.containers.container(container).kill(timeout=_HOOK_S)
        finally:
            self._tasks.pop(container, None)
            self._nudge()
