"""Three-way merge of flags: what the file said last time, what it says now, and what commands made of it since."""

from typing import Any

import msgspec

from midair.flags.definition import FlagSet, document
from midair.flags.plain import plain_flag, shares_of
from midair.flags.ramp import percent_of, ramp_of
from midair.flags.read import build

Document = dict[str, Any]


class Merged(msgspec.Struct, frozen=True):
    """The flags to be, and what commands made that goes on, each named for people."""

    flags: FlagSet
    drift: tuple[str, ...] = ()


def merge(last: FlagSet, file: FlagSet, live: FlagSet) -> Merged:
    """The file wins where it was changed; what only commands have changed stays."""
    flags, extras, drift = dict(file.flags), dict(file.extension.get("flags", {})), []
    for key in [*live.flags, *(key for key in last.flags if key not in live.flags)]:
        said, says, is_ = (one_of(flag_set, key) for flag_set in (last, file, live))
        if is_ == said or says != said:
            continue
        drift.append(f"flag {key}: {told(live, key)}, set by flag (the file says {told(file, key)})")
        flags.pop(key, None)
        extras.pop(key, None)
        if key in live.flags:
            flags[key] = live.flags[key]
            if live.extra(key):
                extras[key] = live.extra(key)
    extension = {name: value for name, value in file.extension.items() if name != "flags"}
    if live.fractional != last.fractional and file.fractional == last.fractional:
        extension["fractional"] = live.fractional
        drift.append(f"flags: bucketing {live.fractional}, set by flag (the file says {file.fractional})")
    if not file.flags and not file.extension and live.extension.get("fractional"):
        extension["fractional"] = live.extension["fractional"]
    merged = msgspec.structs.replace(
        file, flags=flags, extension={**extension, "flags": extras} if extras else extension
    )
    return Merged(build(document(merged)), tuple(drift))


def one_of(flags: FlagSet, key: str) -> tuple[Any, Any]:
    return flags.flags.get(key), flags.extra(key)


def differences(before: FlagSet, after: FlagSet) -> tuple[str, ...]:
    """What changes for users, a line each, for plans and the history."""
    lines = []
    if before.fractional != after.fractional and before.flags:
        lines.append(f"bucketing {before.fractional} → {after.fractional}")
    for key in [*after.flags, *(key for key in before.flags if key not in after.flags)]:
        if key not in before.flags:
            lines.append(f"{key} added: {told(after, key)}")
        elif key not in after.flags:
            lines.append(f"{key} removed")
        elif one_of(before, key) != one_of(after, key) or plain_flag(before, key) != plain_flag(after, key):
            first, second = told(before, key), told(after, key)
            lines.append(f"{key} {first} → {second}" if first != second else f"{key} changed: {second}")
    return tuple(lines)


def told(flags: FlagSet, key: str) -> str:
    """What users get, in a few words."""
    flag = flags.flags.get(key)
    if flag is None:
        return "nothing"
    ramp = ramp_of(flags, key)
    tail = ""
    if ramp is not None:
        tail = f", ramp to {ramp.steps[-1]:g} %" + (" (paused)" if ramp.paused_at is not None else "")
    if flag["state"] == "DISABLED":
        return "disabled"
    targeting = flag.get("targeting")
    if flags.extra(key).get("schedule"):
        tail += ", scheduled"
    if not targeting:
        return f"{flag.get('defaultVariant') or 'the code default'} for everyone{tail}"
    if shares := shares_of(flag):
        return ", ".join(f"{name} {percent_of(flag, name):g} %" for name, _ in shares) + tail
    return f"by rule{tail}"
