"""When old things are forgotten: after each change, once more if that failed, and not half when the daemon ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from midair.errors import MidairError

log = logging.getLogger(__name__)
AGAIN_FIRST_S, AGAIN_MAX_S = 1.0, 60.0  # between attempts, while something is in the way


class Tidying:
    """Does `work` as often as it is due. One at a time."""

    def __init__(self, work: Callable[[], Awaitable[None]], again_s: float = AGAIN_FIRST_S) -> None:
        self._work, self._again_s = work, again_s
        self._due = False
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """There is something to tidy up."""
        self._due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def close(self, timeout: float) -> None:
        """Let what is under way come to its end, and begin nothing again."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pause = self._again_s
        while self._due:
            self._due = False
            try:
                await self._work()
                pause = self._again_s
            except Exception as error:  # whatever it was: old things must not pile up until the next change
                known = isinstance(error, MidairError)
                log.warning("cannot tidy up: %s", error, exc_info=not known)
                if await self._is_closing(pause):
                    return
                self._due = True
                pause = min(pause * 2, AGAIN_MAX_S)

    async def _is_closing(self, within: float) -> bool:
        try:
            async with asyncio.timeout(within):
                return await self._closing.wait()
        except TimeoutError:
            return False
