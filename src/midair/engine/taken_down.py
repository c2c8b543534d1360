"""A project that somebody else has taken down is down: what is wanted follows, and stays so over a restart."""

from midair import change as changes
from midair import plan as plans
from midair.engine import accept
from midair.engine.keeper import Keeper
from midair.model.event import ProjectTakenDown
from midair.view.ask import AskDown

BY = "somebody else, outside midair"


async def take_down(keeper: Keeper) -> None:
    """Store the change, unless something else was asked for meanwhile."""
    async with keeper.accepting:
        base = keeper.state.base
        if base is None or not changes.is_taken_down(keeper.state.under_way, keeper.state.rollouts):
            return
        after = plans.emptied(base)
        plan = accept.plan_between(keeper, "down", after)
        change = await accept.store(keeper, "down", base, plan, after, AskDown(BY))
        keeper.state.commit(keeper.clock(), events=((int(change.id), ProjectTakenDown()),))
