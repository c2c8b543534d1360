"""The compiled engine beside an interpreter too plain to be wrong, and beside flagd's own evaluator."""

import json
import math

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from midair.flags import operators, source
from midair.flags.engine import Table
from midair.flags.fractional import fractional
from midair.flags.rule import Rule

NOW = 1_790_000_000
KEY = "new-button"


def interpret(node, data, top, version):  # noqa: C901
    """Walks the rule: no compiling, no short cuts. `data` is what the rule may read, `top` the caller's context."""
    walk = lambda inner, scope=data: interpret(inner, scope, top, version)  # noqa: E731
    if isinstance(node, list):
        return [walk(item) for item in node]
    if not isinstance(node, dict) or len(node) != 1:
        return node
    name, given = next(iter(node.items()))
    given = given if isinstance(given, list) else [given]
    if name in ("if", "?:"):
        rest = list(given)
        while len(rest) > 1:
            if operators.truthy(walk(rest[0])):
                return walk(rest[1])
            rest = rest[2:]
        return walk(rest[0]) if rest else None
    if name in ("and", "or"):
        value = None
        for argument in given:
            value = walk(argument)
            if operators.truthy(value) is (name == "or"):
                break
        return value
    if name in ("filter", "map", "all", "some", "none"):
        return interpret_list(name, given, walk)
    if name == "reduce":
        value = given[2] if len(given) > 2 else None
        items = walk(given[0])
        for item in items if isinstance(items, list) else []:
            value = walk(given[1] if len(given) > 1 else None, {"current": item, "accumulator": value})
        return value
    values = [walk(argument) for argument in given]
    if name == "fractional":
        flag_key = operators.lookup(data, "$flagd.flagKey", "")
        return fractional(version, flag_key, data.get("targetingKey"), *values)
    if name in operators.READING:
        return operators.READING[name](data, *values)
    return operators.PLAIN[name](*values)


def interpret_list(name, given, walk):
    if len(given) < (1 if name == "map" else 2):
        return {"filter": [], "map": [], "none": True}.get(name, False)
    items = walk(given[0])
    items = items if isinstance(items, list) else []
    inner = given[1] if len(given) > 1 else None
    found = [walk(inner, item) for item in items]
    yes = [operators.truthy(value) for value in found]
    answers = {"map": found, "all": bool(yes) and all(yes), "some": any(yes), "none": not any(yes)}
    return [item for item, keep in zip(items, yes, strict=True) if keep] if name == "filter" else answers[name]


TEXTS = st.sampled_from(["", "a", "b", "on", "off", "0", "1", "5", "abc", "1.2.3", "v1.3", "2.0.0-rc.1", "nan", "inf"])
SCALARS = st.one_of(st.none(), st.booleans(), TEXTS, st.integers(-3, 12), st.sampled_from([0.0, 0.5, -1.5, 2.0, 1e20]))
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
PATHS = st.sampled_from(
    ["a", "b", "list", "list.0", "list.1.x", "deep.x", "deep.y.z", "email", "targetingKey", "missing", "current",
     "accumulator", "$flagd.flagKey", "$flagd.timestamp", "x", "length", "0", "text.length", 0, 1, 1.5, True]
)  # fmt: skip
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "targetingKey": st.sampled_from(["user-1", "user-2", "ünï", "x" * 30, ""]),
        "a": VALUES,
        "b": VALUES,
        "text": TEXTS,
        "email": st.sampled_from(["jane@example.com", "x", 5]),
        "list": st.lists(st.one_of(SCALARS, st.fixed_dictionaries({"x": SCALARS})), max_size=4),
        "deep": st.fixed_dictionaries({"x": SCALARS, "y": st.dictionaries(st.sampled_from("z"), SCALARS)}),
    },
)
EAGER = [name for name in operators.PLAIN if name != "log"]


def listed(name, inner, low, high):
    return st.lists(inner, min_size=low, max_size=high).map(lambda given: {name: given})


def operator(inner):
    share = st.one_of(
        st.tuples(st.sampled_from(["on", "off", "a"]), st.integers(-2, 60)).map(list),
        st.sampled_from(["on", "off"]).map(lambda name: [name]),
        st.tuples(inner, inner).map(list),
    )
    return st.one_of(
        PATHS.map(lambda path: {"var": path}),
        st.tuples(PATHS, SCALARS).map(lambda pair: {"var": list(pair)}),
        st.sampled_from(EAGER).flatmap(lambda name: listed(name, inner, 0, 3)),
        st.sampled_from(EAGER).flatmap(lambda name: st.tuples(inner, SCALARS).map(lambda two: {name: list(two)})),
        st.tuples(inner, VALUES).map(lambda two: {"in": list(two)}),
        st.tuples(inner, st.sampled_from([*list("=<>^~"), "!=", "<=", ">=", "?"]), TEXTS).map(
            lambda three: {"sem_ver": list(three)}
        ),
        st.sampled_from(["if", "?:", "and", "or"]).flatmap(lambda name: listed(name, inner, 0, 11)),
        st.sampled_from(["filter", "map", "all", "some", "none"]).flatmap(lambda name: listed(name, inner, 1, 2)),
        st.lists(inner, min_size=1, max_size=2).flatmap(
            lambda given: SCALARS.map(lambda start: {"reduce": [*given, start][:3] if len(given) == 2 else given})
        ),
        listed("missing", PATHS, 0, 3),
        st.tuples(st.integers(0, 3), st.lists(PATHS, max_size=3)).map(lambda two: {"missing_some": list(two)}),
        listed("fractional", share, 0, 6),
        st.tuples(inner, st.lists(share, max_size=3)).map(lambda two: {"fractional": [two[0], *two[1]]}),
        st.lists(inner, max_size=3),
    )


RULES = st.recursive(st.one_of(SCALARS, PATHS.map(lambda path: {"var": path})), operator, max_leaves=18)


def outcome_of(compute):
    try:
        return compute()
    except Exception as problem:
        return type(problem)


def alike(left, right):
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(alike, left, right))
    return type(left) is type(right) and left == right


@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(RULES, CONTEXTS, st.sampled_from(["v2", "v3"]))
def test_the_compiled_engine_equals_the_interpreter(rule, context, version):
    data = {**context, "$flagd": {"flagKey": KEY, "timestamp": NOW}, "targetingKey": context.get("targetingKey")}
    flag = Rule(KEY, {"variants": {"on": 1}}, version, lambda: NOW)
    for mode, shape in (("value", lambda value: value), ("truth", operators.truthy)):
        compiled = source.function(flag, rule, mode)
        expected = outcome_of(lambda shape=shape: shape(interpret(rule, data, context, version)))
        found = outcome_of(lambda compiled=compiled, shape=shape: shape(compiled(context)))
        assert alike(found, expected), (mode, found, expected)


@settings(max_examples=800, deadline=None, suppress_health_check=list(HealthCheck))
@given(RULES.filter(source.is_logic), CONTEXTS)
def test_flags_come_to_what_flagds_own_evaluator_says(rule, context):
    core_module = pytest.importorskip("openfeature.contrib.tools.flagd.core")
    from openfeature.evaluation_context import EvaluationContext

    assume('"var": ""' not in json.dumps(rule))
    flag = {
        "state": "ENABLED",
        "variants": {"on": "yes", "off": "no", "true": "t", "1": "one"},
        "defaultVariant": "off",
        "targeting": rule,
    }
    table = Table({KEY: json.dumps(flag).encode()}, version="v3", clock=lambda: NOW)
    core = core_module.FlagdCore()
    core.set_flags({"flags": {KEY: flag}})
    attributes = {name: value for name, value in context.items() if name != "targetingKey"}
    ours = table.resolve(KEY, context)
    try:
        theirs = core.resolve_string_value(KEY, "none", EvaluationContext(context.get("targetingKey"), attributes))
    except Exception:
        assert ours.code is not None, ours
    else:
        assume("timestamp" not in json.dumps(rule))
        assert (ours.value, ours.variant, ours.reason) == (theirs.value, theirs.variant, str(theirs.reason))
