"""midair's own words compiled away: prerequisites, segments and schedules become plain JsonLogic.

What comes out can be fed to any flagd client. References are put in place of their names, so no reader has to.
"""

import json
from typing import Any

from midair.flags import operators
from midair.flags.check_extension import moment
from midair.flags.definition import Flag, FlagSet, Logic

TARGETING_KEY = {"var": "targetingKey"}
CLOCK = {"var": "$flagd.timestamp"}


def lines(flags: FlagSet) -> dict[str, bytes]:
    """One piece of JSON per flag: what engines are fed with, and what is compared to tell whether a flag changed."""
    return {key: encode(plain_flag(flags, key)) for key in flags.flags}


def stock(flags: FlagSet) -> dict[str, Any]:
    """The whole set for stock readers."""
    return {"flags": {key: plain_flag(flags, key) for key in flags.flags}, "metadata": flags.metadata}


def encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def plain_flag(flags: FlagSet, key: str) -> Flag:
    flag = flags.flags[key]
    extra = flags.extra(key)
    targeting = flag.get("targeting")
    if not targeting and not any(extra.get(name) for name in ("requires", "segments", "schedule")):
        return flag
    rule = scheduled(flags, extra.get("schedule", []), resolved(flags, targeting) if targeting else None)
    gates = [satisfied(flags, other, wanted) for other, wanted in extra.get("requires", {}).items()]
    if extra.get("segments"):
        gates.append(any_of([resolved(flags, flags.segments[name]) for name in extra["segments"]]))
    if gates:
        inside = rule if rule is not None else flag.get("defaultVariant")
        rule = {"if": [all_of(gates), inside, otherwise(flag, extra)]}
    return {**flag, "targeting": rule}


def otherwise(flag: Flag, extra: dict[str, Any]) -> str | None:
    """The variant for users whom a gate keeps out: as said, else the one that means no, else the default."""
    if "otherwise" in extra:
        return str(extra["otherwise"])
    return off_variant(flag) or flag.get("defaultVariant")


def off_variant(flag: Flag) -> str | None:
    """The one variant whose value is false."""
    found = [name for name, value in flag["variants"].items() if value is False]
    return found[0] if len(found) == 1 else None


def shares_of(flag: Flag) -> list[tuple[str, float]]:
    """Variants and weights of a rule that is nothing but a share of users; what is wrong in it is left out."""
    targeting = flag.get("targeting")
    given = targeting.get("fractional") if isinstance(targeting, dict) and len(targeting) == 1 else None
    found = []
    for share in given if isinstance(given, list) else ():
        if isinstance(share, list) and share and isinstance(share[0], str):
            weight = share[1] if len(share) > 1 else 1
            is_weight = isinstance(weight, (int, float)) and not isinstance(weight, bool)
            found.append((share[0], weight if is_weight else 0))
    return found


def on_variant(flag: Flag) -> str | None:
    """The one variant whose value is true."""
    found = [name for name, value in flag["variants"].items() if value is True]
    return found[0] if len(found) == 1 else None


def all_of(conditions: list[Logic]) -> Logic:
    return conditions[0] if len(conditions) == 1 else {"and": conditions}


def any_of(conditions: list[Logic]) -> Logic:
    return conditions[0] if len(conditions) == 1 else {"or": conditions}


def scheduled(flags: FlagSet, schedule: list[dict[str, Any]], rule: Logic) -> Logic:
    """The latest step whose time has come. Readers go by their own clocks, so nobody has to be told."""
    if not schedule:
        return rule
    arms: list[Logic] = []
    for step in reversed(schedule):
        arms += [{">=": [CLOCK, int(moment(step["at"]) or 0)]}, answer(flags, step)]
    return {"if": [*arms, rule] if rule is not None else arms}


def answer(flags: FlagSet, step: dict[str, Any]) -> Logic:
    if "variant" in step:
        return step["variant"]
    if "share" in step:
        return {"fractional": [[variant, weight] for variant, weight in step["share"].items()]}
    return resolved(flags, step["targeting"])


def resolved(flags: FlagSet, node: Logic) -> Logic:
    """The rule with what its references name in their place."""
    if isinstance(node, list):
        return [resolved(flags, item) for item in node]
    if not isinstance(node, dict) or len(node) != 1:
        return node
    name, given = next(iter(node.items()))
    if name == "$ref" and isinstance(given, str) and (given in flags.segments or given in flags.evaluators):
        return resolved(flags, flags.segments[given] if given in flags.segments else flags.evaluators[given])
    return {name: resolved(flags, given)}


def satisfied(flags: FlagSet, other: str, wanted: str | list[str]) -> Logic:
    """Whether another flag comes to a wanted variant, asked inside a rule."""
    flag = plain_flag(flags, other)
    variants: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    default = flag.get("defaultVariant")
    if flag["state"] == "DISABLED":
        return False
    if not flag.get("targeting"):
        return default in variants
    answers = variants + [value for value, name in ((True, "true"), (False, "false")) if name in variants]
    if default in variants:
        answers.append(None)
    return {"in": [elsewhere(flag["targeting"], other), answers]}


def elsewhere(node: Logic, key: str) -> Logic:
    """A rule that says the same inside another flag: it names its own flag where it went by the name around it.

    Holds for v2, where hashing the joined text is the same as the short form. v3 has no long form of its short form;
    `check` refuses that.
    """
    if isinstance(node, list):
        return [elsewhere(item, key) for item in node]
    if not isinstance(node, dict) or len(node) != 1:
        return node
    name, given = next(iter(node.items()))
    if name == "var" and given in ("$flagd.flagKey", ["$flagd.flagKey"]):
        return key
    if name in operators.LISTING or name == "reduce":
        return {name: [elsewhere(given[0], key), *given[1:]]} if isinstance(given, list) and given else node
    if by_key_alone(node):
        shares = [elsewhere(share, key) for share in given]
        return {"if": [TARGETING_KEY, {"fractional": [{"cat": [key, TARGETING_KEY]}, *shares]}]}
    return {name: elsewhere(given, key)}


def by_key_alone(node: Logic) -> bool:
    """A `fractional` in its short form, which goes by flag key and targeting key."""
    if not isinstance(node, dict) or len(node) != 1 or "fractional" not in node:
        return False
    given = node["fractional"]
    return isinstance(given, list) and bool(given) and isinstance(given[0], list)


def shares_by_key_alone(node: Logic) -> bool:
    if isinstance(node, list):
        return any(map(shares_by_key_alone, node))
    if not isinstance(node, dict) or len(node) != 1:
        return False
    return by_key_alone(node) or shares_by_key_alone(next(iter(node.values())))
