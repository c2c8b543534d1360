"""Builds the plan: steps in order, each with class and cause, and what a person should know before saying yes."""

from collections.abc import Mapping, Set

import msgspec

from midair.model.ids import RevisionId
from midair.model.plan import Code, FieldChange, LiveService, Plan, PlanStep
from midair.model.project import Applied, Drain, Hook, Project, Revision, Service
from midair.model.release import is_again
from midair.plan import confirm, exchange, fronts, note, order, own_port, refuse, warn
from midair.plan import flags as flag_plan
from midair.plan.classify import classify, heaviest
from midair.plan.diff import Difference, diff
from midair.plan.fields import fields_of
from midair.plan.links import kept_revision, moving
from midair.plan.merge import merge
from midair.plan.origin import code_changes
from midair.plan.render import DONE, ONCE
from midair.plan.revision import MAKES_A_REVISION, digest_of, in_order, is_linked, revision_of

_DIGITS = 16
NO_MONITOR = ", no monitor: it has passed before"
_RESTART = (FieldChange("(restart)", "changed", "replace", "every replica is replaced by one of the same revision"),)
_NOTHING = Applied(Project("", {}), {})


def build(
    before: Applied | None,
    project: Project,
    releases: Mapping[str, str | None],
    live: Mapping[str, LiveService] | None = None,
    *,
    only: tuple[str, ...] = (),
    left: Mapping[str, str] | None = None,
    code: Mapping[str, Code] | None = None,
) -> tuple[Plan, Applied]:
    """The plan of an `up`, and the state it leads to. `only`: these services and what they depend on.

    `left`: for services that do not run, the release in which they ran last. `code`: what is known of releases.
    """
    chosen = order.with_dependencies(only, project.services) if only else None
    merged = merge(before, project, chosen)
    flags = flag_plan.merged(before, project, everything=chosen is None)
    revisions = _revisions(before, merged.project, releases, chosen, left or {})
    after = Applied(_settled(merged.project, revisions, chosen), revisions, merged.overrides, flags.document)
    after = moving(before, after)
    known = {
        name: one if chosen is None or name in chosen else msgspec.structs.replace(one, stopped=False)
        for name, one in (live or {}).items()
    }
    plan = between(before, after, known, code=code)
    own = tuple(service for name, service in after.project.services.items() if chosen is None or name in chosen)
    return (
        msgspec.structs.replace(
            plan,
            warnings=(
                *project.warnings,
                *plan.warnings,
                *warn.of_file(own),
                *warn.of_shared(before, project),
            ),
            notes=(
                *plan.notes,
                *fronts.of_new(plan.steps, after.project),
                *note.of_builds(plan.steps, after.project.services),
            ),
            refusals=(
                *plan.refusals,
                *refuse.of_file(own),
                *fronts.refused(plan.steps, after.project),
                *refuse.of_ports(after.project.services.values()),
            ),
            drift=(*merged.drift, *flags.drift),
        ),
        after,
    )


def between(
    before: Applied | None,
    after: Applied,
    live: Mapping[str, LiveService] | None = None,
    *,
    returns: Set[str] = frozenset(),
    restarts: Set[str] = frozenset(),
    code: Mapping[str, Code] | None = None,
) -> Plan:
    """The plan from one state to another, with no file: for undo, scale, restart and down.

    `returns`: services that go back to a revision that has passed. `restarts`: services whose replicas are all
    replaced, also by others of the same revision.
    """
    old, new = before or _NOTHING, moving(before, _noted(after, live or {}))
    steps = (*_forward(old, new, live or {}, returns, restarts, code or {}), *_removals(old, new))
    changed = tuple(step for step in steps if step.kind != "keep")
    exchanged = {
        name: exchange.on_return(service)
        if name in returns
        else exchange.on_restart(service)
        if name in restarts
        else service
        for name, service in new.project.services.items()
    }
    return Plan(
        project=after.project.name,
        steps=steps,
        warnings=warn.of_steps(changed, exchanged, live or {}),
        notes=note.of_steps(changed, new.project.services),
        troubles=warn.of_live(steps, new.project.services, live or {}),
        confirmations=confirm.of_steps(changed, old.project.services, exchanged),
        refusals=(*refuse.of_steps(changed), *refuse.of_moves(old, new)),
        flags=flag_plan.lines(old.flags, new.flags),
        digest=_digest(before, after, restarts),
    )


def _noted(applied: Applied, live: Mapping[str, LiveService]) -> Applied:
    """The state with what was seen of its replicas' data, which decides how they are exchanged."""
    services = {
        name: msgspec.structs.replace(service, own_volumes=live[name].own_volumes, listens=live[name].listens)
        if name in live
        else service
        for name, service in applied.project.services.items()
    }
    return msgspec.structs.replace(applied, project=msgspec.structs.replace(applied.project, services=services))


def _revisions(
    before: Applied | None, project: Project, releases: Mapping[str, str | None], only: frozenset[str] | None,
    left: Mapping[str, str],
) -> dict[str, Revision]:  # fmt: skip
    """The revision of each service: dependencies first, since some are restarted with them."""
    old = before.revisions if before is not None else {}
    revisions: dict[str, Revision] = {}
    for name in order.in_order(project.services):
        service = project.services[name]
        kept = old.get(name)
        if only is not None and name not in only and kept is not None:
            revisions[name] = kept
            continue
        partners = {other: revisions[other].id for other in _restarts_with(service) if other in revisions}
        made = revision_of(service, releases.get(name), shell=project.shell, restarts_with=partners)
        made = kept_revision(made, kept, partners, left.get(name))
        same = kept is not None and kept.id == made.id
        settled = own_port.settled(made.service, kept if same else None)
        revisions[name] = msgspec.structs.replace(made, service=settled)
    return {name: revisions[name] for name in project.services}


def _settled(project: Project, revisions: Mapping[str, Revision], only: frozenset[str] | None) -> Project:
    """The project with its services as their revisions have them: with `$PORT` for the ports of their own."""
    services = {
        name: service if only is not None and name not in only else revisions[name].service
        for name, service in project.services.items()
    }
    return msgspec.structs.replace(project, services=services)


def _restarts_with(service: Service) -> list[str]:
    return [name for name, dependency in service.depends_on.items() if dependency.restart]


def _forward(
    old: Applied, new: Applied, live: Mapping[str, LiveService], returns: Set[str], restarts: Set[str],
    code: Mapping[str, Code],
) -> tuple[PlanStep, ...]:  # fmt: skip
    services = new.project.services
    return tuple(
        _change(
            name, old, new, live.get(name), code.get(name, Code()), returns=name in returns, restarts=name in restarts
        )
        if name in old.project.services
        else _addition(name, new)
        for name in order.in_order(services)
    )


def _addition(name: str, new: Applied) -> PlanStep:
    service = new.project.services[name]
    waits_for = order.waits_for(service, new.project.services)
    is_job = exchange.is_job(service, new.project.services)
    return PlanStep(
        service=name,
        kind="add",
        field_class=None,
        how=(_once(service) if is_job else _count(service.replicas)) + _after(waits_for),
        after=new.revisions[name].id,
        replicas_after=service.replicas,
        waits_for=waits_for,
        job="runs" if is_job else "",
    )


def _change(
    name: str, old: Applied, new: Applied, live: LiveService | None, code: Code, *, returns: bool, restarts: bool
) -> PlanStep:  # fmt: skip
    earlier, service = old.project.services[name], new.project.services[name]
    first, second = old.revisions[name], new.revisions[name]
    changes = _changes(earlier, service, first, second, code) + _recovery(live) + (_RESTART if restarts else ())
    found = heaviest(changes) if changes else None
    exchanged = exchange.on_return(service) if returns else exchange.on_restart(service) if restarts else service
    is_done = live is not None and second.id in live.done and not restarts
    is_job = exchange.is_job(service, new.project.services)
    if is_done:
        changes = tuple(_without_effect(change) for change in changes)
        found = heaviest(changes) if changes else None
    elif found == "replace" and exchange.has_gap(exchanged) and not is_job:
        found = "recreate"
    how = DONE if is_done else _once(service) if is_job and found in MAKES_A_REVISION else ""
    return PlanStep(
        service=name,
        kind="change" if changes else "keep",
        field_class=found,
        changes=changes,
        how=how or _how(earlier, exchanged, found, passed=returns),
        before=first.id,
        after=None if is_again(second.release) else second.id,
        replicas_before=earlier.replicas,
        replicas_after=service.replicas,
        waits_for=order.waits_for(service, new.project.services),
        restarts=restarts,
        job="done" if is_done else "runs" if how else "",
    )


def _without_effect(change: FieldChange) -> FieldChange:
    """A field of a job that has done its work: its revision is another, and nothing is started for it."""
    if change.field_class not in MAKES_A_REVISION:
        return change
    return msgspec.structs.replace(change, field_class="live", cause="it has completed with this")


def _changes(
    earlier: Service, service: Service, first: Revision, second: Revision, code: Code
) -> tuple[FieldChange, ...]:
    """Fields that differ; and, when none of them says why the revision is another, what does."""
    changes = tuple(_classified(difference, earlier, service) for difference in diff(earlier, service))
    if new := code_changes(earlier, service, first, second, code):
        return (*new, *changes)
    if first.id != second.id and not any(change.field_class in MAKES_A_REVISION for change in changes):
        partners = ", ".join(_restarts_with(service))
        cause = f"{partners} is exchanged, and depends_on asks for a restart with it"
        return (*changes, FieldChange("depends_on (restart)", "changed", "replace", cause))
    if not changes and _settings(earlier) != _settings(service):
        cause = "the file is the same, but it is in another folder now, or read by another version of midair"
        return (FieldChange("(settings)", "changed", "live", cause),)
    return changes


def _classified(difference: Difference, earlier: Service, service: Service) -> FieldChange:
    change = classify(difference, service.runtime)
    if not (is_linked(difference.path, earlier) or is_linked(difference.path, service)):
        return change
    return msgspec.structs.replace(change, field_class="replace", cause="a link is made before a replica starts")


def _settings(service: Service) -> Service:
    """What midair acts on, without the canonical form that `diff` has compared, and what the runtime added."""
    build = service.build
    if build is not None:
        build = msgspec.structs.replace(build, settings={}, secrets={})
    return msgspec.structs.replace(
        service, fields={}, extension={}, names=(), own_volumes=(), listens=(), links=(), shared_place="", moves=False,
        front=None, drain=Drain(), build=build, pre_stop=_plainly(service.pre_stop),
        post_start=_plainly(service.post_start),
    )  # fmt: skip


def _plainly(hooks: tuple[Hook, ...]) -> tuple[Hook, ...]:
    """Hooks as states on record have them, from before they had rights of their own."""
    return tuple(msgspec.structs.replace(hook, privileged=False) for hook in hooks)


def _recovery(live: LiveService | None) -> tuple[FieldChange, ...]:
    """What does not run as it should is tried again, though the file is the same."""
    if live is not None and live.stopped:
        return (FieldChange("(state)", "changed", "live", "it was stopped by hand, and is started again"),)
    if live is None or not live.failing:
        return ()
    cause = f"failing: {live.reason}" if live.reason else "failing: it is tried again"
    return (FieldChange("(state)", "changed", "live", cause),)


def _how(earlier: Service, service: Service, found: str | None, *, passed: bool) -> str:
    if found in MAKES_A_REVISION:
        return exchange.in_words(service) + (NO_MONITOR if passed else "")
    if found is not None and earlier.replicas != service.replicas:
        return f"{earlier.replicas} → {_count(service.replicas)}"
    return {"live": "no replica touched", "resize": "in place", "reload": "reloaded"}.get(found or "", "")


def _removals(old: Applied, new: Applied) -> tuple[PlanStep, ...]:
    """Services that are gone: last, and the ones that others depended on after those others."""
    gone = [name for name in order.in_order(old.project.services) if name not in new.project.services]
    return tuple(
        PlanStep(
            service=name,
            kind="remove",
            field_class=None,
            how="drained, then stopped",
            before=old.revisions[name].id,
            replicas_before=old.project.services[name].replicas,
        )
        for name in reversed(gone)
    )


def _after(others: tuple[str, ...]) -> str:
    return f", after {', '.join(others)}" if others else ""


def _once(service: Service) -> str:
    return (
        ONCE
        if service.replicas == 1
        else f"{service.replicas} replicas, each {ONCE}"
        if service.replicas
        else "no replica"
    )


def _count(replicas: int) -> str:
    return "1 replica" if replicas == 1 else f"{replicas} replicas"


def _digest(before: Applied | None, after: Applied, restarts: Set[str]) -> str:
    flags = [before.flags if before is not None else {}, after.flags]
    more = [*(flags if any(flags) else []), *sorted(restarts)]
    return digest_of([_identity(before), _identity(after), *more])[:_DIGITS]


def _identity(applied: Applied | None) -> list[tuple[str, RevisionId, list[object]]] | None:
    """Everything that a plan compares: revisions with their code, and every field."""
    if applied is None:
        return None
    return [
        (name, applied.revisions[name].id, [_settings(service), *in_order(fields_of(service))])
        for name, service in sorted(applied.project.services.items())
    ]
