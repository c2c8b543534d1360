"""What people do to a flag: on, off, a share of users, a variant, a schedule, kill. A set in, a checked set out."""

from collections.abc import Mapping
from typing import Any

from midair.errors import FileRefused, NotFound, UsageRefused
from midair.flags.definition import Flag, FlagSet, document
from midair.flags.plain import off_variant, on_variant
from midair.flags.read import build

SIMPLE: Flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
MOST_DIGITS = 100_000  # shares are exact to a thousandth of a percent


def get(flags: FlagSet, key: str) -> Flag:
    found = flags.flags.get(key)
    if found is None:
        raise unknown(flags, key)
    return found


def unknown(flags: FlagSet, key: str, *, creates: bool = False) -> NotFound:
    """The error about a key that nobody has defined. `creates`: the command can make the flag."""
    import difflib

    near = difflib.get_close_matches(key, list(flags.flags), n=1)
    ways = [f'use "{near[0]}"'] if near else []
    ways += ["add --create to create it"] if creates else []
    return NotFound(f'cannot find flag "{key}": it is not in the set', hint=", or ".join(ways) or None)


def put(flags: FlagSet, key: str, flag: Flag | None, extra: dict[str, Any] | None) -> FlagSet:
    """One flag changed, and all of them checked again: others may have relied on it."""
    return build(document(flags.with_flag(key, flag, extra)))


def define(flags: FlagSet, key: str, flag: Flag, extra: dict[str, Any] | None) -> FlagSet:
    """A whole definition. Raises FileRefused for any mistake in it: what is typed in is not a file of flagd's."""
    changed = put(flags, key, flag, extra)
    if key in changed.odd:
        raise FileRefused(changed.odd[key], hint="correct the flag; the flags in use stay as they are")
    return changed


def everyone(flags: FlagSet, key: str, variant: str) -> FlagSet:
    """All users get one variant; a rule, a ramp or a schedule that said otherwise is dropped (undo brings it back)."""
    flag = get(flags, key)
    named(key, flag, variant)
    plain = {name: value for name, value in flag.items() if name != "targeting"}
    return put(flags, key, {**plain, "state": "ENABLED", "defaultVariant": variant}, settled(flags, key))


def on(flags: FlagSet, key: str) -> FlagSet:
    """Everyone gets the variant that is true. A flag that is not there yet is made."""
    if key not in flags.flags:
        flags = create(flags, key)
    return everyone(flags, key, the_one(key, on_variant(get(flags, key)), "true"))


def off(flags: FlagSet, key: str) -> FlagSet:
    """Nobody gets it: everyone gets the variant that is false."""
    if key not in flags.flags:
        flags = create(flags, key)
    return everyone(flags, key, the_one(key, off_variant(get(flags, key)), "false"))


def create(flags: FlagSet, key: str) -> FlagSet:
    """A new yes-or-no flag, off. In a set that is new as well, by the newest generation of bucketing."""
    if not flags.flags and "fractional" not in flags.extension:
        flags = build({**document(flags), "x-midair": {**flags.extension, "fractional": "v3"}})
    return put(flags, key, SIMPLE, None)


def kill(flags: FlagSet, key: str) -> FlagSet:
    """DISABLED: every reader falls back to what its own code says, at once. The rule is kept; a ramp is not."""
    return put(flags, key, {**get(flags, key), "state": "DISABLED"}, settled(flags, key, schedule=True))


def share(flags: FlagSet, key: str, shares: Mapping[str, float]) -> FlagSet:
    """A share of users, in percent, for each variant named; what is left goes to `off`, or to the first other.

    A flag that is not there yet is made.
    """
    if key not in flags.flags:
        flags = create(flags, key)
    flag = get(flags, key)
    return put(flags, key, {**flag, "state": "ENABLED", "targeting": shared(key, flag, shares)}, settled(flags, key))


def shared(key: str, flag: Flag, shares: Mapping[str, float]) -> dict[str, Any]:
    """The rule. Growing variants come first and the total stays the same, so that growing only ever adds users."""
    for variant, percent in shares.items():
        named(key, flag, variant)
        if not 0 <= percent <= 100:
            raise UsageRefused(f'cannot share out "{key}": should be 0 to 100 percent, got "{percent:g}"')
    left = 100 - sum(shares.values())
    if left < -1e-9:
        raise UsageRefused(f'cannot share out "{key}": the shares add up to {sum(shares.values()):g} percent')
    rest = [name for name in flag["variants"] if name not in shares]
    default = off_variant(flag) or flag.get("defaultVariant")
    if rest:
        whole = {**shares, str(default if default in rest else rest[0]): max(0.0, left)}
    elif left > 1e-9:
        raise UsageRefused(f'cannot share out "{key}": the shares add up to {100 - left:g} percent')
    else:
        whole = dict(shares)
    total = next((n for n in (100, 1000, 10_000, MOST_DIGITS) if all(_whole(p * n / 100) for p in whole.values())), 0)
    if not total:
        raise UsageRefused(f'cannot share out "{key}": shares should have at most three decimals')
    present = (flag.get("targeting") or {}).get("fractional", [])
    # A key of its own stays, so that nobody moves.
    own_key = [part for part in present[:1] if not isinstance(part, list)] if isinstance(present, list) else []
    return {"fractional": [*own_key, *([name, round(percent * total / 100)] for name, percent in whole.items())]}


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-9


def is_share(targeting: Any) -> bool:
    """Whether a rule is nothing but a share of users (or no rule at all)."""
    return not targeting or (isinstance(targeting, dict) and list(targeting) == ["fractional"])


def schedule(flags: FlagSet, key: str, step: dict[str, Any]) -> FlagSet:
    """One more step that takes effect at its time; a step at the same time is replaced."""
    flag, extra = get(flags, key), flags.extra(key)
    steps = [old for old in extra.get("schedule", []) if old["at"] != step["at"]] + [step]
    return put(flags, key, flag, {**extra, "schedule": sorted(steps, key=lambda one: str(one["at"]))})


def unschedule(flags: FlagSet, key: str) -> FlagSet:
    flag, extra = get(flags, key), flags.extra(key)
    return put(flags, key, flag, {name: value for name, value in extra.items() if name != "schedule"})


def remove(flags: FlagSet, key: str) -> FlagSet:
    get(flags, key)
    return put(flags, key, None, None)


def switch_bucketing(flags: FlagSet, version: str) -> FlagSet:
    """Another generation of `fractional`, for the whole set. `moves` says beforehand who gets something else."""
    return build({**document(flags), "x-midair": {**flags.extension, "fractional": version}})


def settled(flags: FlagSet, key: str, *, schedule: bool = False) -> dict[str, Any]:
    """What `x-midair` says about a flag, without what would change it by itself later."""
    dropped = ("ramp",) if schedule else ("ramp", "schedule")
    return {name: value for name, value in flags.extra(key).items() if name not in dropped}


def named(key: str, flag: Flag, variant: str) -> None:
    if variant not in flag["variants"]:
        names = ", ".join(flag["variants"])
        raise UsageRefused(f'cannot use variant "{variant}" of "{key}": there is no such variant', hint=f"use {names}")


def the_one(key: str, variant: str | None, value: str) -> str:
    if variant is None:
        raise UsageRefused(
            f'cannot switch "{key}": it has no variant that is simply {value}', hint="name one: midair flag set"
        )
    return variant
