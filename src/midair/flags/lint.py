"""What is allowed but unwise, and flags that have outlived their use. Findings, never refusals."""

from collections.abc import Mapping
from typing import Any

import msgspec

from midair.flags.check_extension import moment
from midair.flags.definition import FlagSet
from midair.flags.plain import on_variant, shares_of
from midair.flags.ramp import percent_of, ramp_of

DAY_S = 86_400.0


class Finding(msgspec.Struct, frozen=True):
    """One remark about one flag, or about the set (no flag)."""

    flag: str
    kind: str  # stable
    message: str


def lint(flags: FlagSet, now: float) -> list[Finding]:
    found: list[Finding] = []
    if "fractional" not in flags.extension and any(
        "fractional" in str(f.get("targeting")) for f in flags.flags.values()
    ):
        message = f"names no generation of fractional, so {flags.fractional} holds; name it under x-midair.fractional"
        found.append(Finding("", "bucketing-unnamed", message))
    unknown = [name for name in flags.others if name != "$schema"]
    found += [Finding("", "unknown-part", f'has a part that nobody reads: "{name}"') for name in unknown]
    for key, flag in flags.flags.items():
        extra = flags.extra(key)
        if not extra.get("owner") and not (flag.get("metadata") or {}).get("owner"):
            found.append(Finding(key, "no-owner", "has no owner"))
        if not extra.get("expires") and not extra.get("description"):
            found.append(Finding(key, "no-end", "has neither a date of expiry nor a description of why it stays"))
        found += [Finding(key, "odd", f"{odd.path} {odd.message}") for odd in flags.odd.get(key, ())]
        found += of_rule(key, flag)
        steps = [step for step in extra.get("schedule", ()) if (moment(step["at"]) or 0) < now]
        if steps and len(steps) == len(extra["schedule"]):
            found.append(Finding(key, "schedule-over", "has a schedule that is over; set the flag to where it led"))
    return found


def of_rule(key: str, flag: Mapping[str, Any]) -> list[Finding]:
    names = [name for name, _ in shares_of(dict(flag))]
    if not names:
        return []
    growing = on_variant(dict(flag))
    if len(names) > 2 and growing in names and names[0] != growing:
        return [Finding(key, "order", f'lists "{growing}" behind others; put the growing variant first')]
    dead = [name for name in flag["variants"] if name not in names and name != flag.get("defaultVariant")]
    return [Finding(key, "unused-variant", f'never gives its variant "{name}"') for name in dead]


def stale(
    flags: FlagSet, seen: Mapping[str, float], changed: Mapping[str, float], now: float, *, days: float = 30
) -> list[Finding]:
    """Flags to clean up. `seen`: when each was evaluated last, as far as known; `changed`: when each was set last."""
    found = []
    for key, flag in flags.flags.items():
        extra = flags.extra(key)
        expires = moment(extra["expires"]) if "expires" in extra else None
        idle = now - changed.get(key, now)
        if expires is not None and expires < now:
            found.append(Finding(key, "expired", f"expired {extra['expires']}"))
        if key in seen and now - seen[key] > days * DAY_S:
            found.append(Finding(key, "unseen", f"was not evaluated for {(now - seen[key]) / DAY_S:.0f} days"))
        one = one_sided(flag) if not extra.get("schedule") and ramp_of(flags, key) is None else None
        if one is not None and idle > days * DAY_S:
            found.append(Finding(key, "one-sided", f"gives {one} to everyone since {idle / DAY_S:.0f} days"))
    return found


def one_sided(flag: Mapping[str, Any]) -> str | None:
    """The only variant that anyone gets."""
    if flag["state"] == "DISABLED":
        return "the code's default"
    if not flag.get("targeting"):
        return str(flag.get("defaultVariant") or "the code's default")
    names = [name for name in flag["variants"] if percent_of(dict(flag), name) == 100]
    return names[0] if names else None
