"""A simulated run as lines for people."""

from collections.abc import Callable

from midair.model.action import Action, SetRoutes, StartReplica
from midair.model.moment import Moment
from midair.model.rollout import Step
from midair.model.seen import Route


def tell_step(tell: Callable[[str], None], now: Moment, step: Step) -> None:
    """One line for each decision that came to something."""
    if step.actions or step.events:
        doing = ", ".join(describe(action) for action in step.actions)
        why = f"  ({step.rollout.reason})" if step.rollout.reason else ""
        tell(f"{now:8.2f} {step.rollout.service}: {step.rollout.phase}{why}  {doing}")


def describe(action: Action) -> str:
    """An action in a few words."""
    if isinstance(action, SetRoutes):
        routes = " ".join(_short(route) for route in action.routes)
        return f"routes {action.generation} [{routes}]{' hold' if action.hold else ''}"
    if isinstance(action, StartReplica) and action.attempt > 1:
        return f"{action.key} attempt {action.attempt}"
    return action.key


def _short(route: Route) -> str:
    name = route.replica.split("/", 1)[1]
    return name if route.weight == 100 else f"{name}:{route.weight}"
