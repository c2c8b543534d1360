"""A ramp: a flag's share of users grows step by step, waits while it is paused, and goes back when told to.

State lives with the flag, under `x-midair`. `advance` gets the moment and a verdict and says what is next. The same
users stay in at every step, also over a pause: who is in hangs on the share alone.

    running ──pause──▶ paused ──resume──▶ running ──last step──▶ (the ramp is done and gone)
       └──────────────────┴──abort──▶ (the flag as it was before)
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from midair.errors import Conflict, UsageRefused
from midair.flags.definition import Flag, FlagSet
from midair.flags.operate import create, everyone, get, is_share, named, put, settled, shared, the_one
from midair.flags.plain import on_variant, shares_of

Verdict = Literal["go", "hold", "back"]


class Ramp(msgspec.Struct, frozen=True):
    """Where a ramp is."""

    variant: str
    steps: tuple[float, ...]  # percent
    every_s: float
    step: int  # of `steps`, the one in force
    since: float  # when that came into force; moved on by pauses
    paused_at: float | None = None
    before: Flag | None = None  # the flag, for the way back
    before_extra: dict[str, Any] = {}
    why: str = ""

    @property
    def percent(self) -> float:
        return self.steps[self.step]

    @property
    def due_at(self) -> float | None:
        """When the next step is due; None while paused."""
        return None if self.paused_at is not None else self.since + self.every_s


Guard = Callable[[str, Ramp, float], Verdict]  # flag, ramp, now; to be fed by analysis


def no_guard(key: str, ramp: Ramp, now: float) -> Verdict:
    return "go"


def ramp_of(flags: FlagSet, key: str) -> Ramp | None:
    found = flags.extra(key).get("ramp")
    return msgspec.convert(found, Ramp) if found else None


def ramps(flags: FlagSet) -> Mapping[str, Ramp]:
    """All that are under way, by flag."""
    found = {key: ramp_of(flags, key) for key in flags.extension.get("flags", {})}
    return {key: ramp for key, ramp in found.items() if ramp is not None}


def begin(
    flags: FlagSet, key: str, now: float, *, variant: str | None = None, to: float = 100,
    steps: tuple[float, ...] = (), every_s: float = 600, replace: bool = False, why: str = "",
) -> FlagSet:  # fmt: skip
    """The first step takes effect at once. A share that is larger already is not made smaller: those steps are over."""
    if key not in flags.flags:
        flags = create(flags, key)
    flag = get(flags, key)
    chosen = variant or the_one(key, on_variant(flag), "true")
    named(key, flag, chosen)
    wanted = (*(step for step in steps if step < to), to)
    if list(wanted) != sorted(set(wanted)) or not all(0 < step <= 100 for step in wanted):
        raise UsageRefused(f'cannot roll "{key}": steps should grow, from above 0 up to 100 percent')
    if every_s <= 0 and len(wanted) > 1:
        raise UsageRefused(f'cannot roll "{key}": the time between steps should be above 0')
    if ramp_of(flags, key) is not None:
        raise Conflict(f'cannot roll "{key}": it is being rolled already', hint="abort that one first: --abort")
    if not is_share(flag.get("targeting")) and not replace:
        raise Conflict(
            f'cannot roll "{key}": it has a rule of its own, which a share would take the place of',
            hint="add --replace to drop the rule, or put the share into it",
        )
    present = percent_of(flag, chosen)
    left = tuple(step for step in wanted if step > present) or (to,)
    if 0 < present < to and len(left) == 1 < len(wanted):
        raise UsageRefused(
            f'cannot roll "{key}": {present:g} percent have it already, which no step before {to:g} is above',
            hint=f"give steps above {present:g} with --steps, or go there at once with midair flag set",
        )
    ramp = Ramp(chosen, left, every_s, 0, now, before=flag, before_extra=settled(flags, key), why=why)
    return write(flags, key, ramp)


def percent_of(flag: Flag, variant: str) -> float:
    """The share that a variant has now."""
    if flag["state"] == "DISABLED":
        return 0
    if not flag.get("targeting"):
        return 100 if flag.get("defaultVariant") == variant else 0
    pairs = shares_of(flag)
    total = sum(weight for _, weight in pairs)
    return sum(weight for name, weight in pairs if name == variant) * 100 / total if total else 0


def write(flags: FlagSet, key: str, ramp: Ramp) -> FlagSet:
    """The flag as the ramp's step has it; after the last step, without the ramp."""
    flag = get(flags, key)
    rest = settled(flags, key)
    last = ramp.step == len(ramp.steps) - 1
    if last and ramp.percent == 100:
        return everyone(put(flags, key, flag, rest), key, ramp.variant)
    changed = {**flag, "state": "ENABLED", "targeting": shared(key, flag, {ramp.variant: ramp.percent})}
    return put(flags, key, changed, rest if last else {**rest, "ramp": msgspec.to_builtins(ramp)})


def advance(ramp: Ramp, now: float, verdict: Verdict = "go") -> Ramp | None:
    """The ramp as it should be at this moment; the same one if nothing is due; None if it should go back."""
    if verdict == "back":
        return None
    due = ramp.due_at
    if due is None or now < due or ramp.step == len(ramp.steps) - 1:
        return ramp
    if verdict == "hold":
        return ramp
    return msgspec.structs.replace(ramp, step=ramp.step + 1, since=now)


def advance_all(flags: FlagSet, now: float, guard: Guard = no_guard) -> tuple[FlagSet, tuple[str, ...]]:
    """One step for each ramp that is due, and what was done, for the history."""
    done = []
    for key, ramp in ramps(flags).items():
        after = advance(ramp, now, guard(key, ramp, now))
        if after is None:
            flags = go_back(flags, key, ramp)
            done.append(f"{key} back from {ramp.percent:g} %: its guard said so")
        elif after is not ramp:
            flags = write(flags, key, after)
            done.append(f"{key} {ramp.percent:g} → {after.percent:g} %")
    return flags, tuple(done)


def due_at(flags: FlagSet) -> float | None:
    """When somebody should look again."""
    return min((due for ramp in ramps(flags).values() if (due := ramp.due_at) is not None), default=None)


def pause(flags: FlagSet, key: str, now: float) -> FlagSet:
    ramp = under_way(flags, key, "pause")
    if ramp.paused_at is not None:
        raise Conflict(f'cannot pause "{key}": it is paused')
    return replace_ramp(flags, key, msgspec.structs.replace(ramp, paused_at=now))


def pause_all(flags: FlagSet) -> FlagSet:
    """What comes back with an undo does not go on by itself; resumed, its step begins anew."""
    for key, ramp in ramps(flags).items():
        flags = replace_ramp(flags, key, msgspec.structs.replace(ramp, paused_at=ramp.since))
    return flags


def resume(flags: FlagSet, key: str, now: float) -> FlagSet:
    """Goes on where it was: the time in pause does not count."""
    ramp = under_way(flags, key, "resume")
    if ramp.paused_at is None:
        raise Conflict(f'cannot resume "{key}": it is not paused')
    moved = ramp.since + (now - ramp.paused_at)
    return replace_ramp(flags, key, msgspec.structs.replace(ramp, paused_at=None, since=moved))


def abort(flags: FlagSet, key: str) -> FlagSet:
    """Back to the flag as it was before the ramp."""
    return go_back(flags, key, under_way(flags, key, "abort"))


def go_back(flags: FlagSet, key: str, ramp: Ramp) -> FlagSet:
    return put(flags, key, ramp.before, ramp.before_extra)


def replace_ramp(flags: FlagSet, key: str, ramp: Ramp) -> FlagSet:
    return put(flags, key, get(flags, key), {**flags.extra(key), "ramp": msgspec.to_builtins(ramp)})


def under_way(flags: FlagSet, key: str, word: str) -> Ramp:
    get(flags, key)
    ramp = ramp_of(flags, key)
    if ramp is None:
        raise Conflict(f'cannot {word} "{key}": it is not being rolled', hint="begin with midair flag roll")
    return ramp
