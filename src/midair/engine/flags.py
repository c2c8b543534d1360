"""Changes of feature flags: recorded like any other, in force at once, and ramps that go on by themselves.

A flag may be changed while services are being rolled, and nothing of that is disturbed. The flags in force are those
of the completed state; they are changed there, and in the state that the change under way leads to.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from midair import plan as plans
from midair.engine import show
from midair.engine.keeper import Keeper
from midair.errors import Conflict, MidairError, NothingToDo
from midair.flags import definition, operate, ramp
from midair.flags.merge import told
from midair.model.change import Change
from midair.model.event import ChangeAccepted, ChangeEnded
from midair.model.ids import ChangeId
from midair.model.moment import Moment
from midair.model.project import Applied
from midair.plan.flags import lines, of, written
from midair.view.ask import AskFlag
from midair.view.change import ChangeView
from midair.view.flag import FlagChangeView, FlagSetView, FlagView, RampView

log = logging.getLogger(__name__)
# Project and document; None: the project was forgotten.
Tell = Callable[[str, dict[str, Any] | None], None]
Counted = Callable[[str], dict[str, Any]]  # project to flag to what clients reported of it
Operation = Callable[[definition.FlagSet], definition.FlagSet]
LOOK_S = 1.0  # between looks at ramps that cannot go on now


def operated(flags: definition.FlagSet, ask: AskFlag, now: Moment) -> definition.FlagSet:
    """The set after what was asked for."""
    match ask.act:
        case "on" | "off" | "kill" | "remove":
            simple = {"on": operate.on, "off": operate.off, "kill": operate.kill, "remove": operate.remove}
            return simple[ask.act](flags, ask.key)
        case "set" | "share" | "roll" if ask.key not in flags.flags:
            # A typing error must not become a flag that nothing asks for.
            if not ask.create:
                raise operate.unknown(flags, ask.key, creates=True)
            return operated(operate.create(flags, ask.key), ask, now)
        case "set":
            return operate.everyone(flags, ask.key, ask.variant or "")
        case "share":
            return operate.share(flags, ask.key, ask.shares)
        case "define":
            extra = {**flags.extra(ask.key), **ask.extra}
            kept = {name: value for name, value in extra.items() if value is not None}
            if ask.definition:
                return operate.define(flags, ask.key, ask.definition, kept)
            return operate.put(flags, ask.key, operate.get(flags, ask.key), kept)
        case "schedule" | "unschedule":
            return scheduled(flags, ask)
        case "bucketing":
            return operate.switch_bucketing(flags, ask.version)
        case _:
            return rolled(flags, ask, now)


def rolled(flags: definition.FlagSet, ask: AskFlag, now: Moment) -> definition.FlagSet:
    match ask.act:
        case "pause":
            return ramp.pause(flags, ask.key, now)
        case "resume":
            return ramp.resume(flags, ask.key, now)
        case "abort":
            return ramp.abort(flags, ask.key)
    return ramp.begin(
        flags, ask.key, now, variant=ask.variant, to=ask.to, steps=ask.steps, every_s=ask.every_s,
        replace=ask.replace, why=ask.why,
    )  # fmt: skip


def scheduled(flags: definition.FlagSet, ask: AskFlag) -> definition.FlagSet:
    if ask.act == "unschedule":
        return operate.unschedule(flags, ask.key)
    step: dict[str, Any] = {"at": ask.at}
    if ask.shares:
        shares = operate.shared(ask.key, operate.get(flags, ask.key), ask.shares)["fractional"]
        step["share"] = {share[0]: share[1] for share in shares if isinstance(share, list)}
    else:
        step["variant"] = ask.variant
    return operate.schedule(flags, ask.key, step)


def brought_back(
    flags: definition.FlagSet, earlier: definition.FlagSet, later: definition.FlagSet, key: str
) -> definition.FlagSet:
    """The set with those flags as they were earlier that are not so later (or with one of them)."""
    for one in [key] if key else [*earlier.flags, *later.flags]:
        if _one(earlier, one) == _one(later, one):
            continue
        if one in earlier.flags:
            flags = operate.put(flags, one, earlier.flags[one], earlier.extra(one))
        elif one in flags.flags:
            flags = operate.remove(flags, one)
    return flags


def taking_back(target: Change, key: str = "") -> Operation:
    """Brings flags back as they were before a change, bucketing as well if it was for all; ramps come back paused."""
    earlier = of(target.before.flags) if target.before is not None else definition.FlagSet()
    later = of(target.after.flags)

    def back(flags: definition.FlagSet) -> definition.FlagSet:
        if earlier.fractional != later.fractional and not key:
            flags = operate.switch_bucketing(flags, earlier.fractional)
        return ramp.pause_all(brought_back(flags, earlier, later, key))

    return back


def without(base: Applied, target: Change) -> Applied:
    """A state without what a change of flags did to them."""
    return _operated(base, taking_back(target))


def calmed(applied: Applied) -> Applied:
    """A state to go back to, with its ramps paused."""
    return _operated(applied, ramp.pause_all) if applied.flags else applied


def _operated(applied: Applied, operation: Operation) -> Applied:
    return msgspec.structs.replace(applied, flags=written(operation(of(applied.flags))))


class FlagChanges:
    """The flags of all projects of an engine."""

    def __init__(self, keeper: Callable[[str], Keeper], keepers: Callable[[], tuple[Keeper, ...]], tell: Tell) -> None:
        self._keeper, self._keepers, self._tell = keeper, keepers, tell
        self.counted: Counted = lambda project: {}
        self.guard: ramp.Guard = ramp.no_guard
        self._known: dict[str, dict[str, Any]] = {}
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to move ramps on."""
        self._task = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """Ramps stay where they are, until somebody looks again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def told(self, applied: Applied) -> None:
        """A state was completed: its flags are in force."""
        name = applied.project.name
        if name in self._known and self._known[name] == applied.flags:
            return
        self._known[name] = applied.flags
        try:
            self._tell(name, applied.flags)
        except MidairError as error:  # stored by another version of midair
            log.error("cannot serve the flags of %s: %s", name, error.message)
        self._news.set()

    def forget(self, project: str) -> None:
        """A project is gone: nothing of it is served any more."""
        self._known.pop(project, None)
        self._tell(project, None)

    def change(self, project: str, ask: AskFlag) -> ChangeView:
        """Do what is asked for, and record who, when and why."""
        keeper = self._keeper(project)
        now = keeper.clock()
        return self._record(keeper, lambda flags: operated(flags, ask, now), ask.by, ask.why)

    def undo(self, project: str, by: str, why: str, key: str = "") -> ChangeView:
        """Bring flags back as they were before the last change to them (or to one of them), and nothing else.

        Repeated, it goes back further. A ramp that comes back is paused.
        """
        keeper = self._keeper(project)
        target = self._last(keeper, key)
        return self._record(
            keeper, taking_back(target, key), by, why or f"undo of change {target.id}", takes_back=target.id
        )

    def _last(self, keeper: Keeper, key: str) -> Change:
        """The newest change of flags that was not taken back yet."""
        taken: set[int] = set()
        for one in self.history(keeper.project, key):
            if one.takes_back is not None:
                taken.add(one.takes_back)
            elif one.change not in taken and one.undoes is None:
                found = keeper.store.changes.get(keeper.project, one.change)
                if found is not None and found.before is not None:
                    return found
        raise Conflict("cannot undo: no change of flags is left to take back", hint="see midair flag history")

    def _record(
        self,
        keeper: Keeper,
        operation: Operation,
        by: str,
        why: str,
        takes_back: ChangeId | None = None,
    ) -> ChangeView:
        state, now = keeper.state, keeper.clock()
        completed, under_way = state.completed, state.under_way
        if completed is None:
            raise Conflict("cannot change flags: the project's first change is still under way", hint="wait for it")
        carried = None
        if under_way is not None:
            carried = msgspec.structs.replace(under_way, after=_operated(under_way.after, operation))
        amended = completed
        try:
            amended = _operated(completed, operation)
        except MidairError:
            if carried is None:
                raise  # else the flag comes with the change under way: it is not there to be changed before
        before, after = completed, amended
        if amended.flags == completed.flags and carried is not None and under_way is not None:
            before, after = under_way.after, carried.after
        if before.flags == after.flags:
            raise NothingToDo("cannot change flags: they are like that already")
        plan = plans.between(before, after)
        number = keeper.store.changes.next_id(keeper.project)
        change = Change(
            id=ChangeId(number), project=keeper.project, kind="flag", phase="completed", created_at=now, ended_at=now,
            before=before, after=after, plan=plan, summary=plans.summary(plan), by=by, why=why, takes_back=takes_back,
        )  # fmt: skip
        events = (
            (number, ChangeAccepted(number, "flag", change.summary)),
            (number, ChangeEnded(number, "completed", "")),
        )
        stored = (change,) if carried is None else (change, carried)
        state.commit(now, changes=stored, events=events, amended=amended, carried=carried)
        return show.change(keeper, number)

    # Looking

    def show(self, project: str) -> FlagSetView:
        """All flags in force, with what is known of each."""
        keeper = self._keeper(project)
        flags = of(keeper.state.completed.flags if keeper.state.completed else {})
        changed: dict[str, FlagChangeView] = {}
        for one in reversed(self.history(project)):
            changed.update(dict.fromkeys((line.split(" ")[0] for line in one.lines), one))
        views = tuple(_view(flags, key, changed.get(key)) for key in flags.flags)
        return FlagSetView(keeper.name, flags.fractional, views)

    def document(self, project: str) -> definition.FlagSet:
        """The set itself."""
        state = self._keeper(project).state
        return of(state.completed.flags if state.completed else {})

    def history(self, project: str, key: str = "") -> tuple[FlagChangeView, ...]:
        """What changes did to flags (or to one of them), newest first."""
        keeper = self._keeper(project)
        found = []
        for change in reversed(keeper.store.changes.all(project)):
            told_ = lines(change.before.flags if change.before else {}, change.after.flags)
            shown = tuple(line for line in told_ if not key or line.split(" ")[0] == key)
            if shown and change.phase in ("completed", "progressing", "pending"):
                found.append(
                    FlagChangeView(
                        int(change.id), change.created_at, change.kind, change.by, change.why, shown,
                        undoes=int(change.undoes) if change.undoes is not None else None,
                        takes_back=int(change.takes_back) if change.takes_back is not None else None,
                    )
                )  # fmt: skip
        if key and not found:
            flags = self.document(project)
            if key not in flags.flags:
                raise operate.unknown(flags, key)
        return tuple(found)

    # Ramps

    async def _keep(self) -> None:
        while True:
            self._news.clear()
            waits = [self._move_on(keeper) for keeper in self._keepers()]
            soonest = min((wait for wait in waits if wait is not None), default=None)
            try:
                async with asyncio.timeout(soonest):
                    await self._news.wait()
            except TimeoutError:
                pass

    def _move_on(self, keeper: Keeper) -> float | None:
        """Take the steps that are due. Returns how long until there may be more to do."""
        state = keeper.state
        if state.completed is None or not state.completed.flags:
            return None
        try:
            due = ramp.due_at(of(state.completed.flags))
            now = keeper.clock()
            if due is None or due > now:
                return None if due is None else due - now
            _, done = ramp.advance_all(of(state.completed.flags), now, self.guard)
            if not done:  # its guard holds it
                return LOOK_S
            step = f"ramp: {'; '.join(done)}"
            self._record(keeper, lambda flags: ramp.advance_all(flags, now, self.guard)[0], "midair", step)
            return 0.0
        except MidairError as error:
            log.error("cannot move the ramps of %s on: %s", keeper.project, error.message)
            return LOOK_S


def _one(flags: definition.FlagSet, key: str) -> tuple[Any, Any]:
    return flags.flags.get(key), flags.extra(key)


def _view(flags: definition.FlagSet, key: str, changed: FlagChangeView | None) -> FlagView:
    flag, going = flags.flags[key], ramp.ramp_of(flags, key)
    return FlagView(
        key=key,
        state=flag["state"],
        told=told(flags, key),
        definition=flag,
        extra=flags.extra(key),
        ramp=None
        if going is None
        else RampView(going.variant, going.percent, going.steps[going.step :], going.due_at, going.why),
        changed_at=changed.at if changed else None,
        changed_by=changed.by if changed else "",
    )
