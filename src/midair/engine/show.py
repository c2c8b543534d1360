"""What is known of a project, in the form that people and programs are shown."""

from msgspec.structs import replace

from midair.change import undo_target
from midair.engine.count import counts_view, total
from midair.engine.keeper import Keeper
from midair.errors import NotFound, Refused
from midair.model.change import Change
from midair.router.base import RouterSeen
from midair.view.change import ChangeView, change_view
from midair.view.counts import CountsView
from midair.view.status import ProjectSummary, ProjectView, RouterView, ServiceView
from midair.view.tree import service_view
from midair.view.uncounted import uncounted


def summary(keeper: Keeper) -> ProjectSummary:
    """One line, from what was seen last."""
    state = keeper.state
    services = _services(keeper)
    applied = state.base
    return ProjectSummary(
        name=keeper.name,
        phase=state.change.phase if state.change else "",
        services=len(services),
        serving=sum(service.in_place for service in services),
        wanted=sum(service.wanted for service in services),
        change=int(state.change.id) if state.change else None,
        folder=applied.project.folder if applied else "",
        folder_id=applied.project.folder_id if applied else "",
        files=applied.project.files if applied else (),
        named=applied.project.named if applied else "",
        key=keeper.project,
    )


async def project(keeper: Keeper) -> ProjectView:
    """All of it, looked at now."""
    sight = await keeper.look()
    state = keeper.state
    applied = state.base
    return ProjectView(
        name=keeper.name,
        now=keeper.clock(),
        services=_services(keeper),
        change=_change(keeper, state.change) if state.change else None,
        router=_router(keeper, sight.router) if sight.router else None,
        counts=total(sight.router or keeper.router_seen),
        uncounted=uncounted(applied.project.services.values()) if applied else (),
        folder=applied.project.folder if applied else "",
        files=applied.project.files if applied else (),
        problem=keeper.problem or "; ".join(sight.problems.values()),
    )


async def counts(keeper: Keeper) -> CountsView:
    """Requests as the router counts them now."""
    return counts_view(keeper.name, await keeper.world.records())


def history(keeper: Keeper) -> tuple[ChangeView, ...]:
    """All changes on record, newest first."""
    changes = keeper.store.changes.all(keeper.project)
    return tuple(_change(keeper, change, changes) for change in reversed(changes))


def change(keeper: Keeper, number: int) -> ChangeView:
    """One change."""
    found = keeper.store.changes.get(keeper.project, number)
    if found is None:
        raise NotFound(f'cannot show change {number}: project "{keeper.name}" has no such change')
    return _change(keeper, found)


def _router(keeper: Keeper, seen: RouterSeen) -> RouterView:
    return RouterView(seen.pid, seen.started_at, keeper.deaths.recent())


def _change(keeper: Keeper, found: Change, changes: tuple[Change, ...] | None = None) -> ChangeView:
    view = change_view(
        found,
        can_undo=_can_undo(found, changes if changes is not None else (found,)),
        first_event=keeper.store.events.first_of(keeper.project, int(found.id)),
    )
    return replace(view, project=keeper.name)


def _can_undo(found: Change, changes: tuple[Change, ...]) -> bool:
    try:
        undo_target(changes, int(found.id))
    except Refused:
        return False
    return True


def _services(keeper: Keeper) -> tuple[ServiceView, ...]:
    state = keeper.state
    views = []
    for name, rollout in state.rollouts.items():
        ids = {one.id.split("/")[1] for one in rollout.replicas} | {rollout.goal.revision}
        found = {str(one): state.revision(name, str(one)) for one in ids if one is not None}
        known = {one: revision for one, revision in found.items() if revision is not None}
        views.append(service_view(rollout, keeper.shown(rollout), known, keeper.clock()))
    order = list(state.base.project.services) if state.base else []
    return tuple(sorted(views, key=lambda one: order.index(one.name) if one.name in order else len(order)))
