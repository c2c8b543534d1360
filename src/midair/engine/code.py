"""The code that services would run: looked up for a plan, as its caller wants build folders and registries asked."""

import asyncio
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from midair.engine.keeper import Keeper
from midair.engine.planned import Releases
from midair.model.plan import Code, Plan
from midair.model.project import Applied, Service
from midair.model.release import is_again
from midair.spec.paths import is_remote
from midair.view.ask import AskPlan, AskUp


async def look_up(keeper: Keeper, services: Iterable[Service], ask: AskPlan | AskUp, *, keep: bool) -> Releases:
    """The release of each service as things are now. Makes nothing. Raises BuildTrouble."""
    wanted = list(services)
    releases = await asyncio.gather(*(_fingerprint(keeper, service, ask, keep) for service in wanted))
    return dict(zip((service.name for service in wanted), releases, strict=True))


async def _fingerprint(keeper: Keeper, service: Service, ask: AskPlan | AskUp, keep: bool) -> str | None:
    base = keeper.state.base
    known = base.revisions.get(service.name) if base is not None else None
    runtime = await keeper.world.runtime(service.runtime)
    return await runtime.fingerprint(with_pull(service, ask), known, keep=keep, builds=ask.build)


def with_pull(service: Service, ask: AskPlan | AskUp) -> Service:
    """The service with what the caller says in place of `pull_policy` and `build.pull`."""
    if not ask.pull:
        return service
    build = service.build
    if build is not None and not is_remote(build.context):
        settings = {name: value for name, value in build.settings.items() if name != "pull"}
        build = replace(build, settings=settings)
    return replace(service, build=build, fields={**service.fields, "pull_policy": ask.pull})


async def facts(keeper: Keeper, releases: Mapping[str, str | None]) -> dict[str, Code]:
    """What is known of the releases in force and to be, where they differ."""
    known = {}
    base = keeper.state.base
    for name, revision in base.revisions.items() if base is not None else ():
        before, after = revision.release, releases.get(name)
        if before and after and before != after:
            runtime = await keeper.world.runtime(revision.service.runtime)
            known[name] = Code(dict(await runtime.bases(before)), dict(await runtime.bases(after)))
    return known


def does_what_was_shown(shown: Plan, plan: Plan, wanted: Applied) -> bool:
    """Whether a plan does what was shown, with other code than was read for it, or less where it was built once more.

    `wanted`: the state to which the plan that was shown leads.
    """
    if len(shown.steps) != len(plan.steps) or shown.flags != plan.flags:
        return False
    asked = {name for name, revision in wanted.revisions.items() if is_again(revision.release)}
    for first, second in zip(shown.steps, plan.steps, strict=True):
        is_less = bool(asked) and second.kind == "keep"
        is_built = first.service in asked and first.how == second.how
        is_same = is_less or is_built or replace(first, after=None) == replace(second, after=None)
        if first.service != second.service or not is_same:
            return False
    return True
