"""The ordered end of a replica: pre_stop hooks, stop signal, grace, kill.

The signal goes to every process of the replica, as a terminal's Ctrl-C or systemd's control group has it: a start
script that does not `exec` would keep it to itself. What outlives the first process has the rest of the grace period.

Each stage is noted before it begins, with the moment it must be over, so that a later daemon goes on in the middle of
it with the time that is left. The hooks together have one grace period of their own; the signal then has a whole one.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from midair.errors import RuntimeTrouble
from midair.runtime.process.identity import signal_number
from midair.runtime.process.leftover import kill_replica, signal_members
from midair.runtime.process.record import Stopping

if TYPE_CHECKING:
    from midair.runtime.process.replica import Replica

_AGAIN_S = 5.0  # between two attempts to kill


async def carry_on(replica: Replica) -> None:
    """Bring the stop that is in the replica's record to its end, from whichever stage it has reached."""
    if _stopping(replica).stage == "pre_stop":
        await _hooks(replica)
        _enter(replica, "signalling")
    if _stopping(replica).stage == "signalling":
        try:
            await _send(replica)
        except asyncio.CancelledError:
            # The first process has the signal, and the thread goes on with the others: a later daemon sends none again.
            _enter(replica, "signalled")
            raise
        _enter(replica, "signalled")
    if _stopping(replica).stage == "signalled":
        if await _ended_by(replica, _stopping(replica).deadline):
            return
        _enter(replica, "killing")
        replica.note(killed=True)
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
        except (RuntimeTrouble, OSError) as error:
            trouble = str(error)
        if trouble:  # it is told, but a replica that is to end ends
            replica.note(detail=f"pre_stop failed: {trouble}")


async def _send(replica: Replica) -> None:
    number = signal_number(_stopping(replica).signal)
    # The leader first: a supervisor would replace workers that end before it knows why.
    if trouble := _refused(replica, number):
        replica.note(detail=f"cannot be sent a signal: {trouble}")
    if replica.leader is not None:
        with contextlib.suppress(OSError):  # no descriptors left; the leader has the signal
            await asyncio.to_thread(signal_members, replica.leader, replica.mark, number)


async def _kill(replica: Replica) -> None:
    while not replica.exited.is_set():
        trouble = _refused(replica, signal.SIGKILL)
        if replica.leader is not None:
            with contextlib.suppress(OSError):  # no descriptors left; the leader was told
                await asyncio.to_thread(kill_replica, replica.leader, replica.mark)
        if not await _ended_by(replica, replica.around.clock() + _AGAIN_S):
            why = f"cannot be killed: {trouble}" if trouble else "was killed, but the kernel holds it"
            replica.note(detail=f"does not end: {why}")


def _refused(replica: Replica, number: int) -> str:
    """Send the process a signal; says why that could not be. A command may have become another user's, by sudo."""
    try:
        if replica.watch is not None:
            replica.watch.send(number)
    except OSError as error:
        return error.strerror or str(error)
    return ""


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
