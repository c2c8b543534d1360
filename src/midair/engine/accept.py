"""From what somebody asked for to a stored change: plan, check, prepare, check again, store. Touches no replica."""

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from midair import change as changes
from midair import plan as plans
from midair.engine import code
from midair.engine.adopt import adopted, foreign
from midair.engine.count import begun, counted, had_long_lived, told, total
from midair.engine.keeper import Keeper
from midair.engine.planned import Releases
from midair.errors import Conflict, NeedsConfirmation, PlanRefused
from midair.model.change import Change, ChangeKind
from midair.model.event import ChangeAccepted, ChangeEnded, Event
from midair.model.ids import ChangeId
from midair.model.plan import LiveService, Plan
from midair.model.project import Applied, Names, Port, Project, Revision, Service
from midair.model.rollout import Rollout
from midair.model.seen import ReplicaSeen
from midair.rollout import completed_revisions
from midair.rollout.fleet import is_done
from midair.view.ask import AskDown, AskPlan, AskScale, AskServiceRestart, AskUndo, AskUp
from midair.view.event import EventView, progress_view

Ask = AskUp | AskUndo | AskScale | AskServiceRestart | AskDown
Progress = Callable[[EventView], None]
AGAIN = "run midair plan to see what would happen now"
FIX = "fix it and run midair up again; nothing was touched"


async def plan_up(
    keeper: Keeper, ask: AskPlan | AskUp, neighbours: Iterable[Keeper] = (), applies: bool = True,
    releases: Releases | None = None,
) -> tuple[Plan, Applied]:  # fmt: skip
    """The plan of an `up` as things are now, and the state that it leads to. `neighbours`: the other projects here.

    `applies`: what is read is kept, to be what runs. `releases`: what was read for the plan that is applied.
    """
    project = ask.project
    made = [service for service in project.services.values() if service.build is not None or service.image]
    for runtime in sorted({service.runtime for service in made}):
        await keeper.world.runtime(runtime)  # what runs already is seen by one that is open
    if releases is None:
        releases = await code.look_up(keeper, made, ask, keep=applies)
    plan, after = await _build(keeper, project, releases, ask.services)
    plan = await with_written(keeper, plan, after)
    if keeper.state.change is None:
        running = [(one.name, one.state.base) for one in neighbours if one is not keeper and not one.state.is_empty]
        reasons = plans.of_name(project, [replace(base.project, name=name) for name, base in running if base])
        plan = replace(plan, refusals=(*plan.refusals, *reasons))
    plan = await _with_advice(keeper, plan, after)
    if not keeper.state.rollouts:
        found_running = foreign(project, (await keeper.look()).all_replicas)
        plan = replace(plan, warnings=(*plan.warnings, *(_take_over(*one) for one in found_running.items())))
    earlier = (change.plan for change in keeper.store.changes.all(keeper.project) if change.plan is not None)
    return plans.with_repeated(plan, earlier), after


def _take_over(service: str, replicas: tuple[ReplicaSeen, ...]) -> str:
    text = f"{service}: {len(replicas)} running, made by something else, will be replaced"
    if places := sorted({place for replica in replicas for place in replica.own_volumes}):
        text += f"; each stops before the next one starts, since its data in {', '.join(places)} goes along"
    if any(replica.published for replica in replicas):
        text += "; its published port changes hands once, and until the old one has stopped requests are refused"
    return text


async def _with_advice(keeper: Keeper, plan: Plan, after: Applied) -> Plan:
    """The plan, with what the runtimes know of what it starts anew."""
    advice: list[str] = []
    refusals: list[str] = []
    for name in _new(plan):
        revision = after.revisions[name]
        runtime = keeper.world.runtimes.get(revision.service.runtime)  # one that nothing has needed yet is left closed
        if runtime is not None:
            advice += await runtime.advise(revision.service, revision.release)
            refusals += await runtime.unsupported(revision.service)
    return replace(plan, warnings=(*plan.warnings, *advice), refusals=(*plan.refusals, *refusals))


async def with_written(keeper: Keeper, plan: Plan, after: Applied) -> Plan:
    """The plan, with what services wrote into the releases that they leave."""
    base = _last(keeper)
    if base is None:
        return plan
    releases = {}
    for name, release in plans.releases_left(base, after).items():
        if release not in releases:
            runtime = await keeper.world.runtime(base.revisions[name].service.runtime)
            releases[release] = await runtime.written(release)
    return plans.with_written(plan, base, after, releases)


def _last(keeper: Keeper) -> Applied | None:
    """The state that ran last. After a `down` that is not the one that the next change starts from."""
    base = keeper.state.base
    if base is not None and base.revisions:
        return base
    history = reversed(keeper.store.changes.all(keeper.project))
    return next((change.before for change in history if change.before is not None and change.before.revisions), base)


def plan_between(keeper: Keeper, kind: ChangeKind, after: Applied, restarts: frozenset[str] = frozenset()) -> Plan:
    """The plan of going to a state that is known."""
    returns = _returning(keeper, kind, after)
    return plans.between(keeper.state.base, after, live(keeper), returns=returns, restarts=restarts)


def _returning(keeper: Keeper, kind: ChangeKind, after: Applied) -> frozenset[str]:
    """The services that a change takes back to a revision that has passed."""
    if kind not in ("undo", "restore"):
        return frozenset()
    return changes.returning(keeper.store.changes.all(keeper.project), after)


async def up(
    keeper: Keeper, ask: AskUp, progress: Progress, neighbours: Iterable[Keeper] = (), releases: Releases | None = None
) -> Change:
    """Accept an `up`. Building happens here, before anything is stored. `neighbours`: the other projects here.

    `releases`: what was read for the plan that was shown, and is not read again.
    """
    async with keeper.accepting:
        plan, after = await plan_up(keeper, ask, neighbours, releases=releases)
        approve(plan, ask.digest, ask.confirmed)
        await check(keeper, plan, after, neighbours)
        made = await prepare(keeper, plan, after, progress, ask)
        base = keeper.state.base
        shown, wanted = plan, after
        plan, after = await _build(keeper, ask.project, made, ask.services)
        if plan.digest != ask.digest and not code.does_what_was_shown(shown, plan, wanted):
            raise Conflict("cannot go on: the code was changed while it was built", hint=AGAIN)
        latest = keeper.state.change
        if plan.is_empty and not shown.is_empty and latest is not None:
            return latest  # what was built once more is the same
        plan = replace(plan, confirmations=shown.confirmations, warnings=shown.warnings, notes=shown.notes)
        return await store(keeper, "up", base, plan, after, ask)


def approve(plan: Plan, digest: str | None, confirmed: bool) -> None:
    """Raise unless the plan is the one that was agreed to, and can be carried out."""
    if digest is not None and plan.digest != digest:
        raise Conflict("cannot apply the plan: it is out of date", hint=AGAIN)
    if plan.refusals:
        raise _refused(plan.refusals)
    if plan.confirmations and not confirmed:
        texts = "; ".join(f"{one.service}: {one.text}" for one in plan.confirmations)
        raise NeedsConfirmation(f"cannot apply the plan without confirmation: {texts}", hint="pass --yes")


async def check(keeper: Keeper, plan: Plan, after: Applied, neighbours: Iterable[Keeper] = ()) -> None:
    """Raise when a service could not be started here, or a port could not be listened on."""
    services = [after.project.services[name] for name in _new(plan) if not _was_made(keeper, after.revisions[name])]
    reasons = [reason for service in services for reason in await _reasons(keeper, service, after.project.shell)]
    new = _new_ports(keeper, after)
    taken = owners(new, [one for one in neighbours if one is not keeper])
    for port, owner in taken.items():
        folder = owner.state.base.project.folder if owner.state.base else ""
        reasons.append(f'cannot listen on port "{_text(port)}": project "{owner.name}" of the folder "{folder}" has it')
    reasons += await _port_reasons(keeper, tuple(port for port in new if port not in taken))
    if reasons:
        name = next((owner.name for owner in taken.values()), "")
        moved = f"add -p {name} if this is that project in another folder, or free the port with midair down -p {name}"
        raise _refused(dict.fromkeys(reasons), moved if name else FIX)


def _refused(reasons: Iterable[str], hint: str = FIX) -> PlanRefused:
    """A line for each reason; one that already says what cannot be done is told as it is."""
    lines = [reason if reason.startswith("cannot ") else f"cannot apply the plan: {reason}" for reason in reasons]
    return PlanRefused("\n".join(lines), hint=hint)


def owners(ports: Iterable[Port], others: Iterable[Keeper]) -> dict[Port, Keeper]:
    """Which of these projects listens on which of the ports already."""
    held = [
        (port, one)
        for one in others
        for rollout in one.state.rollouts.values()
        for port in rollout.policy.ports
        if not port.front
    ]
    return {port: owner for port in ports for theirs, owner in held if _clash(port, theirs)}


def _clash(one: Port, other: Port) -> bool:
    anywhere = {one.host, other.host} & {"", "0.0.0.0", "::"}
    return one.port == other.port and (one.host == other.host or bool(anywhere))


async def prepare(keeper: Keeper, plan: Plan, after: Applied, progress: Progress, ask: AskUp) -> dict[str, str | None]:
    """Make the releases that are not there yet. Returns the release of every service."""
    releases = {name: revision.release for name, revision in after.revisions.items()}
    for name in _new(plan):
        service = after.project.services[name]

        def tell(line: str, name: str = name) -> None:
            progress(progress_view(keeper.project, keeper.clock(), name, line))

        runtime = await keeper.world.runtime(service.runtime)
        releases[name] = await runtime.prepare(
            code.with_pull(service, ask),
            tell,
            after.project.shell,
            release=releases[name],
            contents=after.project.captured,
        )
    return releases


async def fetch(keeper: Keeper, kind: ChangeKind, plan: Plan, after: Applied, progress: Progress) -> None:
    """Have every release that the plan starts replicas of. Raises PlanRefused when one was removed for good."""
    reasons = []
    for step in plan.steps:
        starts = step.after != step.before or step.replicas_after > step.replicas_before or step.restarts
        if step.kind == "remove" or step.job == "done" or not starts:
            continue
        revision = after.revisions[step.service]
        runtime = await keeper.world.runtime(revision.service.runtime)

        def tell(line: str, name: str = step.service) -> None:
            progress(progress_view(keeper.project, keeper.clock(), name, line))

        if reason := await runtime.fetch(revision, tell):
            reasons.append(f"cannot {kind}: {reason}")
    if reasons:
        raise PlanRefused("\n".join(reasons), hint="change the file back and run midair up; nothing was touched")


async def store(
    keeper: Keeper, kind: ChangeKind, base: Applied | None, plan: Plan, after: Applied, ask: Ask,
    undoes: ChangeId | None = None,
) -> Change:  # fmt: skip
    """Store a change that was planned from `base`. From then on it is carried out, whatever happens to this process."""
    after = await _arrange(keeper, _moving(keeper, after))
    sight = await keeper.look()
    if keeper.state.base != base:  # a flag, which waits for nobody
        raise Conflict("cannot go on: the project was changed meanwhile", hint="try it again")
    router = sight.router or keeper.router_seen
    state, now = keeper.state, keeper.clock()
    previous = state.under_way
    before = state.completed
    rollouts: tuple[Rollout, ...] = ()
    if not state.rollouts and previous is None and (found := adopted(after, sight.all_replicas)):
        before, rollouts = found
    number = keeper.store.changes.next_id(keeper.project)
    words = plans.summary(plan, base.project.folder if base else "", after.project.folder)
    change = changes.accept(
        before, after, plan, previous,
        number=number, now=now, kind=kind, by=ask.by, summary=words, undoes=undoes, baseline=total(router),
        token=ask.token, why=ask.why, returns=_returning(keeper, kind, after),
        restarts=[step.service for step in plan.steps if step.restarts],
    )  # fmt: skip
    change = begun(change, router)
    events: list[tuple[int | None, Event]] = [(number, ChangeAccepted(number, kind, change.summary))]
    stored = [change]
    if previous is not None:
        old = counted(changes.supersede(previous, change, now), router)
        stored.insert(0, old)
        events.insert(0, (int(old.id), told(ChangeEnded(int(old.id), old.phase, old.reason), old)))
    revisions = (*(before.revisions.values() if rollouts and before else ()), *after.revisions.values())
    state.commit(now, changes=tuple(stored), rollouts=rollouts, revisions=revisions, events=tuple(events))
    keeper.nudge()
    return change


async def _arrange(keeper: Keeper, after: Applied) -> Applied:
    """Make what the services share, and note where the router is to answer for their names."""
    names: dict[str, Names] = {}
    for runtime in sorted({service.runtime for service in after.project.services.values()}):
        names |= await (await keeper.world.runtime(runtime)).arrange(after.project)
    known = live(keeper)
    services = {
        name: replace(
            service, names=found.ports, front=found.front, listens=known[name].listens if name in known else ()
        )
        for name, service in after.project.services.items()
        for found in [names.get(name, Names())]
    }
    return replace(after, project=replace(after.project, services=services, captured={}))


def _moving(keeper: Keeper, after: Applied) -> Applied:
    """The state with what is moved on the way there: files that the last good state did not share."""
    now = plans.moving(keeper.state.base, after)
    if keeper.state.under_way is None:
        return now
    good = plans.moving(keeper.state.completed, after).project.services
    services = {name: replace(one, moves=one.moves or good[name].moves) for name, one in now.project.services.items()}
    return replace(now, project=replace(now.project, services=services))


def live(keeper: Keeper, *, starts: bool = False) -> dict[str, LiveService]:
    """What a plan has to know of the services beside what was applied. `starts`: also what was stopped by hand."""
    found = {}
    long_lived = had_long_lived(keeper.router_seen, keeper.clock())
    for name, rollout in keeper.state.rollouts.items():
        living = [replica for replica in rollout.replicas if replica.state != "exited"]
        found[name] = LiveService(
            replicas=len(living),
            ready=sum(replica.state == "ready" for replica in living),
            failing=rollout.phase == "stuck",
            reason=rollout.reason if rollout.phase == "stuck" else "",
            stopped=starts and any(one.by_hand and not is_done(one, rollout.policy) for one in rollout.replicas),
            done=completed_revisions(rollout),
            own_volumes=tuple(sorted({place for replica in rollout.replicas for place in replica.own_volumes})),
            listens=_listens(rollout),
            long_lived=name in long_lived,
        )
    return found


def _listens(rollout: Rollout) -> tuple[int, ...]:
    seen = {port for replica in rollout.replicas for port in replica.listens}
    return tuple(sorted(seen | {port.port for port in rollout.policy.expects if port.source == "image"}))


async def _build(
    keeper: Keeper, project: Project, releases: Mapping[str, str | None], only: tuple[str, ...]
) -> tuple[Plan, Applied]:
    last = _last(keeper)
    left = {name: one.release for name, one in last.revisions.items() if one.release} if last is not None else {}
    known = await code.facts(keeper, releases)
    now = live(keeper, starts=True)
    return plans.build(keeper.state.base, project, releases, now, only=only, left=left, code=known)


def _new(plan: Plan) -> list[str]:
    """Services that get another revision."""
    return [step.service for step in plan.steps if step.kind in ("add", "change") and step.after != step.before]


def _was_made(keeper: Keeper, revision: Revision) -> bool:
    """Its code was kept when it was made. It needs no working tree, which may be gone when an undo goes back to it."""
    known = keeper.state.revision(revision.service.name, str(revision.id))
    return known is not None and known.release is not None


async def _reasons(keeper: Keeper, service: Service, shell: Mapping[str, str]) -> Iterable[str]:
    return await (await keeper.world.runtime(service.runtime)).check(service, shell)


def _new_ports(keeper: Keeper, after: Applied) -> tuple[Port, ...]:
    """Those that the router is to listen on and does not yet, without what is taken over from somebody else."""
    ours = {port.place for rollout in keeper.state.rollouts.values() for port in rollout.policy.ports}
    taken_over = foreign(after.project, keeper.sight.all_replicas) if not keeper.state.rollouts else {}
    services = [one for name, one in after.project.services.items() if name not in taken_over]
    ports = (port for one in services for port in one.ports if port.protocol != "udp")  # the plan has said so
    return tuple(port for port in ports if port.place not in ours)


async def _port_reasons(keeper: Keeper, ports: tuple[Port, ...]) -> Iterable[str]:
    return await keeper.world.check_ports(ports) if ports else ()


def _text(port: Port) -> str:
    return f"{port.host}:{port.port}" if port.host else str(port.port)
