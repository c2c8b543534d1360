"""Forgets what nobody can go back to any more: old changes, their events, revisions and releases."""

from midair.change import to_keep
from midair.engine.state import State
from midair.engine.world import World
from midair.model.ids import revision_of
from midair.store import Store

EVENTS_KEPT = 20_000  # of a project


async def prune(store: Store, state: State, world: World) -> None:
    """Forget the changes of a project that no undo needs, and what only they needed."""
    history = store.changes.all(state.project)
    needed = to_keep(history)
    old = [int(change.id) for change in history if change.id not in needed]
    changes = [change for change in history if change.id in needed]
    applied = [one for change in changes for one in (change.before, change.after)] + [state.completed]
    used = {(name, str(revision.id)) for one in applied if one for name, revision in one.revisions.items()}
    for rollout in state.rollouts.values():
        ids = {rollout.goal.revision, rollout.stable.revision, *(revision_of(one.id) for one in rollout.replicas)}
        used |= {(rollout.service, str(one)) for one in ids if one is not None}
    releases: dict[str, set[str]] = {}
    for revision in store.revisions.all(state.project):
        if (revision.service.name, str(revision.id)) in used:
            kept = {revision.release} if revision.release is not None else set()
            releases.setdefault(revision.service.runtime, set()).update(kept, revision.service.contents.values())
    with store.transaction("write to"):
        store.changes.delete(state.project, old)
        store.events.prune(state.project, keep=EVENTS_KEPT)
        for revision in store.revisions.all(state.project):
            if (revision.service.name, str(revision.id)) not in used:
                store.revisions.delete(state.project, revision.service.name, revision.id)
    state.keep_revisions(used)
    world.keep_revisions(used)
    for name, runtime in world.runtimes.items():
        await runtime.prune(releases.get(name, set()))
