"""Which services a restart replaces, by what was asked for and what runs."""

from midair import plan as plans
from midair.engine.keeper import Keeper, did_you_mean
from midair.errors import NotFound
from midair.model.project import Applied
from midair.rollout import completed_revisions
from midair.view.ask import AskServiceRestart


def base(keeper: Keeper, ask: AskServiceRestart) -> Applied:
    """What was asked for last, which stays as it is. Raises NotFound when a service of it was misspelt."""
    after = keeper.state.base
    services = after.project.services if after is not None else {}
    for name in ask.services:
        if name not in services:
            raise NotFound(
                f'cannot restart "{name}": project "{keeper.project}" has no such service now',
                hint=did_you_mean(name, services),
            )
    if after is None or not services:
        raise NotFound(f'cannot restart project "{keeper.project}": nothing of it runs', hint="start it with midair up")
    return after


def restarted(keeper: Keeper, ask: AskServiceRestart, after: Applied) -> frozenset[str]:
    """The services whose replicas are replaced. A job that has completed is run again only when it is named."""
    completed = {
        name for name, rollout in keeper.state.rollouts.items() if rollout.goal.revision in completed_revisions(rollout)
    }
    return plans.restarted(after.project.services, ask.services, completed)
