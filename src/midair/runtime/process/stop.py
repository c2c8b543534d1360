"""The ordered end of a replica: pre_stop hooks, stop signal, grace, kill.

Each stage is noted before it begins, with the moment it must be over, so that a later daemon goes on in the middle of
it with the time that is left. The hooks together have one grace period of their own; the signal then has a whole one.
"""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from midair.errors import RuntimeTrouble
from midair.runtime.process.identity import signal_number
from midair.runtime.process.leftover import kill_replica
from midair.runtime.process.record import Stopping

if TYPE_CHECKING:
    from midair.runtime.process.replica import Replica


async def carry_on(replica: Replica) -> None:
    """Bring the stop that is in the replica's record to its end, from whichever stage it has reached."""
    if _stopping(replica).stage == "pre_stop":
        await _hooks(replica)
        _enter(replica, "signalling")
    if _stopping(replica).stage == "signalling":
        _send(replica)
        _enter(replica, "signalled")
    if _stopping(replica).stage == "signalled":
        if await _ended_by(replica, _stopping(replica).deadline):
            return
        _enter(replica, "killing")
    await _kill(replica)


async def _hooks(replica: Replica) -> None:
    if replica.record.revision.service.pre_stop and _stopping(replica).deadline == 0:
        _enter(replica, "pre_stop")
    for hook in replica.record.revision.service.pre_stop:
        left = _stopping(replica).deadline - replica.around.clock()
        if left <= 0 or replica.exited.is_set():
            return
        try:
            ended = await replica.hook(hook, left)
            trouble = ended.trouble
        except RuntimeTrouble as error:
            trouble = error.message
        if trouble:  # it is told, but a replica that is to end ends
            replica.note(detail=f"pre_stop failed: {trouble}")


def _send(replica: Replica) -> None:
    if replica.watch is not None:
        try:
            replica.watch.send(signal_number(_stopping(replica).signal))
        except PermissionError:
            replica.note(detail="may not be sent a signal")


async def _kill(replica: Replica) -> None:
    while not replica.exited.is_set():
        if replica.watch is not None:
            replica.watch.send(signal.SIGKILL)
            await asyncio.to_thread(kill_replica, replica.watch.identity, replica.mark)
        if not await _ended_by(replica, replica.around.clock() + 5.0):
            replica.note(detail="does not end, although it was killed: the kernel holds it")


async def _ended_by(replica: Replica, deadline: float) -> bool:
    left = deadline - replica.around.clock()
    try:
        async with asyncio.timeout(max(left, 0.0)):
            await replica.exited.wait()
    except TimeoutError:
        return False
    return True


def _enter(replica: Replica, stage: str) -> None:
    stopping = _stopping(replica)
    deadline = replica.around.clock() + stopping.grace_s
    replica.note(stop=replace(stopping, stage=stage, deadline=deadline))


def _stopping(replica: Replica) -> Stopping:
    assert replica.record.stop is not None, "a stop is carried on only after it was noted"
    return replica.record.stop
