"""Work in a thread that nobody can leave halfway: a thread cannot be cancelled, it would go on unseen."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


async def to_its_end(work: Callable[..., Made], *arguments: object) -> Made:
    """Run it in a thread. Who is cancelled meanwhile is so after its end, and may then clean up or let go of a lock."""
    running = asyncio.create_task(asyncio.to_thread(work, *arguments))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait({running})
        if not running.cancelled():
            running.exception()  # else asyncio complains that nobody asked for it
        raise
