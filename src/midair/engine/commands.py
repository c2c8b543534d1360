"""Commands beside the replicas of a service: found their place, begun, and put into the history."""

import asyncio
import secrets
from typing import Literal

from midair.engine.keeper import Keeper, did_you_mean
from midair.errors import Conflict, NotFound, RuntimeTrouble
from midair.model.event import CommandBegan, CommandEnded
from midair.model.seen import ReplicaSeen
from midair.rollout.target import command_target
from midair.runtime.base import CommandSession, Runtime
from midair.view.ask import AskCommand

How = Literal["exec", "run"]


class RunningCommand:
    """A command under way, with its beginning in the history."""

    def __init__(self, keeper: Keeper, session: CommandSession, began: CommandBegan) -> None:
        self.session = session
        self._keeper, self._began, self._at = keeper, began, keeper.clock()
        self._closing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """End it if it has not ended, and note that it has. Goes on when the caller is cancelled; again is harmless."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            await self.session.close()
        finally:
            code, now, began = await self.session.wait(), self._keeper.clock(), self._began
            took_s = round(max(now - self._at, 0.0), 3)
            ended = CommandEnded(began.session, began.how, began.service, code, took_s, began.by, began.replica)
            self._keeper.state.commit(now, events=((None, ended),))


async def begin(keeper: Keeper, service: str, how: How, ask: AskCommand) -> RunningCommand:
    """Begin a command. Raises NotFound, Conflict, RuntimeTrouble or StoreTrouble, and then nothing of it runs."""
    replica = ""
    if how == "exec":
        seen, runtime = await _target(keeper, service, ask.index)
        replica = seen.id
        session = await runtime.exec(seen.id, ask.command)
    else:
        base = keeper.state.base
        revision = base.revisions.get(service) if base is not None else None
        if revision is None:
            raise _no_service(keeper, service, how)
        runtime = await keeper.world.runtime(revision.service.runtime)
        session = await runtime.run(revision, ask.command, publish=ask.publish)
    began = CommandBegan(secrets.token_hex(4), how, service, ask.by, replica)
    try:
        keeper.state.commit(keeper.clock(), events=((None, began),))
    except BaseException:
        await session.close()
        raise
    return RunningCommand(keeper, session, began)


async def _target(keeper: Keeper, service: str, index: int | None) -> tuple[ReplicaSeen, Runtime]:
    sight = await keeper.look()
    rollout = keeper.state.rollouts.get(service)
    if rollout is None:
        raise _no_service(keeper, service, "exec")
    replicas = keeper.seen(rollout).replicas
    if replicas is None:
        raise RuntimeTrouble(f'cannot exec in "{service}": {"; ".join(sight.problems.values()) or "not seen now"}')
    target = command_target(replicas, rollout.goal.revision, index)
    if target is None:
        which = f"replica {index}" if index is not None else "replica"
        hint = (
            "run midair run to start one more process of it" if index is None else "run midair ps to see the replicas"
        )
        raise Conflict(f'cannot exec in "{service}": no {which} of it runs', hint=hint)
    name = next(name for name, known in sight.replicas.items() if any(each.id == target.id for each in known))
    return target, keeper.world.runtimes[name]


def _no_service(keeper: Keeper, service: str, how: How) -> NotFound:
    known = keeper.state.base.project.services if keeper.state.base is not None else keeper.state.rollouts
    return NotFound(
        f'cannot {how} in "{service}": project "{keeper.project}" has no such service now',
        hint=did_you_mean(service, known),
    )
