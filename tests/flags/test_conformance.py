"""Every operator and every corner of evaluation, as a table. flagd's own evaluator is held to the same table."""

import json

import pytest

from midair.flags.engine import Table

NOW = 1_790_000_000
VARIANTS = {"on": "yes", "off": "no", "true": "t", "false": "f", "1": "one", "1.5": "float"}
CONTEXT = {
    "targetingKey": "user-1",
    "age": 18,
    "zero": 0,
    "half": 0.5,
    "nothing": None,
    "empty": "",
    "country": "DE",
    "email": "jane@example.com",
    "version": "v2.3.1",
    "partial": "2.3",
    "pre": "2.3.0-rc.2",
    "tags": ["beta", "staff"],
    "numbers": [1, 2, 3],
    "people": [{"age": 17}, {"age": 30}],
    "nobody": [],
    "deep": {"er": {"x": "found"}},
    "yes": True,
    "five": "5",
}


def var(path, *default):
    return {"var": [path, *default] if default else path}


def when(condition):
    return {"if": [condition, "on", "off"]}


# rule, variant; None as variant: the rule answers null, so the default variant with reason DEFAULT
CONDITIONS = [
    # `==` is loose, `===` is not
    ({"==": [var("five"), 5]}, True),
    ({"==": [5, var("five")]}, True),
    ({"==": [var("age"), "18"]}, True),
    ({"==": [var("country"), "DE"]}, True),
    ({"==": [var("nothing"), 0]}, True),
    ({"==": [var("nothing"), "DE"]}, False),
    ({"==": [var("missing"), None]}, True),
    ({"==": [var("yes"), 1]}, True),
    ({"==": [var("yes"), "1"]}, True),
    ({"==": [var("nobody"), 0]}, True),
    ({"==": [var("numbers"), "1,2,3"]}, True),
    ({"==": [var("tags"), var("tags")]}, True),
    ({"==": [var("tags"), ["beta", "staff"]]}, False),
    ({"===": [var("five"), 5]}, False),
    ({"===": [var("five"), "5"]}, True),
    ({"===": [var("tags"), ["beta", "staff"]]}, True),
    ({"!=": [var("five"), 5]}, False),
    ({"!=": [var("country"), "AT"]}, True),
    ({"!==": [var("five"), 5]}, True),
    # order
    ({"<": [var("age"), 19]}, True),
    ({"<": [var("age"), 18]}, False),
    ({"<=": [var("age"), 18]}, True),
    ({"<=": [var("age"), 17]}, False),
    ({"<=": ["b", "b"]}, True),
    ({">": [var("age"), 17]}, True),
    ({">": [var("age"), 18]}, False),
    ({">=": [var("age"), 18]}, True),
    ({">=": [var("age"), 19]}, False),
    ({"<": [1, var("age"), 20]}, True),
    ({"<": [1, var("age"), 18]}, False),
    ({"<=": [1, var("age"), 18]}, True),
    ({">": [20, var("age"), 1]}, True),
    ({">=": [18, var("age"), 18]}, True),
    ({"<": ["abc", "abd"]}, True),
    ({"<": ["10", 9]}, False),
    ({"<": [var("country"), 5]}, False),
    ({"<": [var("missing"), 1]}, True),
    # truth
    ({"!": [var("zero")]}, True),
    ({"!": ["0"]}, False),
    ({"!": [[]]}, True),
    ({"!!": [var("empty")]}, False),
    ({"!!": ["0"]}, True),
    ({"!!": [var("deep")]}, True),
    ({"!!": [var("nobody")]}, False),
    ({"!!": [{"-": ["x", 1]}]}, False),  # not a number
    (var("yes"), True),
    (var("missing"), False),
    # arithmetic and text
    ({"==": [{"+": [1, "2", var("half")]}, 3.5]}, True),
    ({"==": [{"-": [var("age")]}, -18]}, True),
    ({"==": [{"-": [var("age"), 8]}, 10]}, True),
    ({"==": [{"*": [2, "3"]}, 6]}, True),
    ({"==": [{"/": [var("age"), 4]}, 4.5]}, True),
    ({"==": [{"%": [var("age"), 5]}, 3]}, True),
    ({"==": [{"min": [3, var("zero"), 2]}, 0]}, True),
    ({"==": [{"max": [3, var("age"), 2]}, 18]}, True),
    ({"===": [{"cat": ["a", 1, 1.5, None]}, "a11.5null"]}, True),
    ({"===": [{"substr": [var("country"), 1]}, "E"]}, True),
    ({"===": [{"substr": ["jsonlogic", -5]}, "logic"]}, True),
    ({"===": [{"substr": ["jsonlogic", 1, 3]}, "son"]}, True),
    ({"===": [{"substr": ["jsonlogic", 4, -2]}, "log"]}, True),
    # membership
    ({"in": [var("country"), ["DE", "AT"]]}, True),
    ({"in": [var("country"), ["CH"]]}, False),
    ({"in": [var("country"), [f"c{n}" for n in range(30)] + ["DE"]]}, True),
    ({"in": [var("age"), [str(n) for n in range(30)]]}, False),
    ({"in": ["example", var("email")]}, True),
    ({"in": [5, "a5b"]}, True),
    ({"in": ["x", var("missing")]}, False),
    ({"===": [{"merge": [var("numbers"), 4, [5]]}, [1, 2, 3, 4, 5]]}, True),
    # lists
    ({"===": [{"filter": [var("numbers"), {">": [var(""), 1]}]}, [2, 3]]}, True),
    ({"===": [{"map": [var("people"), var("age")]}, [17, 30]]}, True),
    ({"all": [var("people"), {">": [var("age"), 16]}]}, True),
    ({"all": [var("people"), {">": [var("age"), 17]}]}, False),
    ({"all": [var("nobody"), True]}, False),
    ({"some": [var("people"), {">": [var("age"), 17]}]}, True),
    ({"none": [var("people"), {">": [var("age"), 30]}]}, True),
    ({"==": [{"reduce": [var("numbers"), {"+": [var("accumulator"), var("current")]}, 4]}, 10]}, True),
    # reading
    ({"==": [var("deep.er.x"), "found"]}, True),
    ({"==": [var("tags.1"), "staff"]}, True),
    ({"==": [var("tags.length"), 2]}, True),
    ({"==": [var("deep.no.x", "fallback"), "fallback"]}, True),
    ({"==": [var("nothing", "fallback"), "fallback"]}, True),
    ({"==": [var("$flagd.flagKey"), "flag"]}, True),
    ({">": [var("$flagd.timestamp"), 1_700_000_000]}, True),
    ({"==": [var("targetingKey"), "user-1"]}, True),
    ({"===": [{"missing": ["age", "absent", "empty"]}, ["absent", "empty"]]}, True),
    ({"===": [{"missing_some": [1, ["age", "absent"]]}, []]}, True),
    ({"===": [{"missing_some": [2, ["age", "absent"]]}, ["absent"]]}, True),
    # flagd's own
    ({"starts_with": [var("email"), "jane"]}, True),
    ({"starts_with": [var("email"), "john"]}, False),
    ({"starts_with": [var("age"), "1"]}, False),
    ({"ends_with": [var("email"), "@example.com"]}, True),
    ({"ends_with": [var("email"), "@example.org"]}, False),
    ({"ends_with": [var("missing"), "x"]}, False),
    ({"sem_ver": [var("version"), "=", "2.3.1"]}, True),
    ({"sem_ver": [var("version"), "!=", "2.3.1"]}, False),
    ({"sem_ver": [var("version"), ">", "2.3.0"]}, True),
    ({"sem_ver": [var("version"), ">=", "2.3.1"]}, True),
    ({"sem_ver": [var("version"), "<", "2.10.0"]}, True),
    ({"sem_ver": [var("version"), "<=", "2.3.0"]}, False),
    ({"sem_ver": [var("version"), "^", "2.0.0"]}, True),
    ({"sem_ver": [var("version"), "^", "3.0.0"]}, False),
    ({"sem_ver": [var("version"), "~", "2.3.9"]}, True),
    ({"sem_ver": [var("version"), "~", "2.4.0"]}, False),
    ({"sem_ver": [var("partial"), "=", "V2.3.0"]}, True),
    ({"sem_ver": ["2", "=", "2.0.0"]}, True),
    ({"sem_ver": [var("pre"), "<", "2.3.0"]}, True),
    ({"sem_ver": [var("pre"), ">", "2.3.0-rc.1"]}, True),
    ({"sem_ver": ["2.3.0-rc.10", ">", "2.3.0-rc.9"]}, True),
    ({"sem_ver": ["2.3.0-1", "<", "2.3.0-alpha"]}, True),
    ({"sem_ver": ["2.3.0-a", "<", "2.3.0-a.1"]}, True),
    ({"sem_ver": ["2.3.0+build", "=", "2.3.0"]}, True),
    ({"sem_ver": ["02.3.0", "=", "2.3.0"]}, False),
    ({"sem_ver": [var("country"), "=", "2.3.0"]}, False),
    ({"sem_ver": [var("missing"), ">", "1.0.0"]}, False),
    ({"sem_ver": [1.2, "=", "1.2.0"]}, True),
]  # fmt: skip

ANSWERS = [
    ({"if": [True, "on"]}, "on"),
    ({"if": [False, "on"]}, None),
    ({"if": ["on"]}, "on"),
    ({"if": []}, None),
    ({"if": [False, "x", False, "y", "on"]}, "on"),
    ({"?:": [var("yes"), "on", "off"]}, "on"),
    ({"and": [var("yes"), "on"]}, "on"),
    ({"and": []}, None),
    ({"or": [var("missing"), "on"]}, "on"),
    ({"or": [var("missing"), None]}, None),
    ({"==": [1, 1]}, "true"),
    ({"==": [1, 2]}, "false"),
    ({"+": [0, 1]}, "1"),
    ({"+": [0, 1.5]}, "1.5"),
    (var("missing"), None),
    (var("missing", "on"), "on"),
    ({"ends_with": [var("age"), "x"]}, None),
    ({"starts_with": ["x"]}, None),
    ({"sem_ver": ["1.0.0", "?", "1.0.0"]}, None),
    ({"sem_ver": ["1.0.0", "="]}, None),
    ({"log": "on"}, "on"),
    # shares: nonsense in the weights means the default variant
    ({"fractional": [["on", 100]]}, "on"),
    ({"fractional": [["on"]]}, "on"),
    ({"fractional": [["on", 0], ["off", 1]]}, "off"),
    ({"fractional": [["on", -5], ["off", 1]]}, "off"),
    ({"fractional": [["on", 0]]}, None),
    ({"fractional": [["on", 50.0], ["off", 50]]}, None),
    ({"fractional": [["on", True], ["off", 50]]}, None),
    ({"fractional": [["on", "50"], ["off", 50]]}, None),
    ({"fractional": [["on", 2_147_483_647]]}, "on"),
    ({"fractional": [["on", 2_147_483_647], ["off", 1]]}, None),
    ({"fractional": [["on", 1, 2]]}, None),
    ({"fractional": []}, None),
    ({"fractional": [var("missing"), ["on", 1]]}, None),
    ({"fractional": [var("email"), ["on", 1]]}, "on"),
    ({"fractional": [["on", {"if": [var("yes"), 1, 0]}], ["off", {"if": [var("yes"), 0, 1]}]]}, "on"),
    ({"fractional": [[{"if": [var("yes"), "on"]}, 1]]}, "on"),
    ({"fractional": [[None, 1]]}, None),
    ({"fractional": [[True, 1]]}, "true"),
]  # fmt: skip

ERRORS = [
    ({"cat": ["un", "known"]}, "GENERAL"),
    ({"/": [1, 0]}, "GENERAL"),
    ({"%": [1, 0]}, "GENERAL"),
    ({"if": [True, "unknown"]}, "GENERAL"),
    ({"fractional": [["unknown", 1]]}, "GENERAL"),
    ({"on": 1, "off": 2}, "GENERAL"),  # two keys: no operator, but a value
    ({"nonsense": [1]}, "PARSE_ERROR"),
    ({"if": [{"nonsense": 1}, "on"]}, "PARSE_ERROR"),
]  # fmt: skip


def flag_with(targeting, **changes):
    flag = {"state": "ENABLED", "variants": VARIANTS, "defaultVariant": "off", "targeting": targeting}
    return {name: value for name, value in {**flag, **changes}.items() if value is not ...}


def ours(flag, context=CONTEXT, version="v3"):
    table = Table({"flag": json.dumps(flag).encode()}, version=version, clock=lambda: NOW)
    found = table.resolve("flag", context)
    return (found.variant, found.reason, found.code)


def flagd(flag, context=CONTEXT):
    core = pytest.importorskip("openfeature.contrib.tools.flagd.core").FlagdCore()
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.exception import OpenFeatureError

    core.set_flags({"flags": {"flag": json.loads(json.dumps(flag))}})
    rest = {name: value for name, value in context.items() if name != "targetingKey"}
    try:
        found = core.resolve_string_value("flag", "default", EvaluationContext(context.get("targetingKey"), rest))
    except OpenFeatureError as problem:
        return (None, "ERROR", problem.error_code.value)
    except Exception:
        return (None, "ERROR", "GENERAL")
    return (found.variant, str(found.reason), None)


EVALUATORS = pytest.mark.parametrize("evaluate", [ours, flagd], ids=["midair", "flagd"])


@EVALUATORS
@pytest.mark.parametrize(("condition", "holds"), CONDITIONS, ids=str)
def test_a_condition_holds_or_not(evaluate, condition, holds):
    expected = ("on" if holds else "off", "TARGETING_MATCH", None)
    assert evaluate(flag_with(when(condition))) == expected
    assert evaluate(flag_with({"if": [{"!": [condition]}, "off", "on"]})) == expected
    assert evaluate(flag_with({"if": [{"and": [condition, True]}, "on", "off"]})) == expected


@EVALUATORS
@pytest.mark.parametrize(("rule", "variant"), ANSWERS, ids=str)
def test_a_rule_answers_with_a_variant_or_the_default(evaluate, rule, variant):
    expected = ("off", "DEFAULT", None) if variant is None else (variant, "TARGETING_MATCH", None)
    assert evaluate(flag_with(rule)) == expected


@EVALUATORS
@pytest.mark.parametrize(("rule", "code"), ERRORS, ids=str)
def test_a_rule_that_makes_no_sense_is_an_error_with_a_code(evaluate, rule, code):
    assert evaluate(flag_with(rule)) == (None, "ERROR", code)


@EVALUATORS
@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        (flag_with({}), ("off", "STATIC", None)),
        (flag_with(...), ("off", "STATIC", None)),
        (flag_with(None), ("off", "STATIC", None)),
        (flag_with(..., defaultVariant=...), (None, "DEFAULT", None)),
        (flag_with(..., defaultVariant=None), (None, "DEFAULT", None)),
        (flag_with(..., defaultVariant=""), (None, "DEFAULT", None)),
        (flag_with(..., defaultVariant=True), ("true", "STATIC", None)),
        (flag_with(..., defaultVariant="nope"), (None, "ERROR", "GENERAL")),
        (flag_with({"if": [False, "on"]}, defaultVariant=None), (None, "DEFAULT", None)),
        (flag_with({"if": [True, "on"]}, state="DISABLED"), (None, "DISABLED", None)),
        (flag_with({"if": [True, "on"]}, defaultVariant="nope"), ("on", "TARGETING_MATCH", None)),
    ],
    ids=str,
)
def test_without_a_rule_the_default_variant_counts(evaluate, flag, expected):
    assert evaluate(flag) == expected


@EVALUATORS
@pytest.mark.parametrize("key", [None, "", 5])
def test_shares_need_a_targeting_key(evaluate, key):
    context = {} if key is None else {"targetingKey": key}
    assert evaluate(flag_with({"fractional": [["on", 1]]}), context) == ("off", "DEFAULT", None)


def test_the_callers_own_flagd_properties_are_overridden():
    rule = when({"==": [var("$flagd.flagKey"), "flag"]})
    assert ours(flag_with(rule), {"$flagd": {"flagKey": "forged"}})[0] == "on"
    rule = when({"==": [{"reduce": [[1], {"var": "$flagd.flagKey"}, 0]}, None]})
    assert ours(flag_with(rule))[0] == "on", "items of a list have no flagd properties"


def test_an_empty_set_that_was_never_loaded_says_so():
    from midair.flags.engine import empty

    found = empty(lambda: NOW).resolve("flag")
    assert (found.reason, found.code) == ("NOT_LOADED", "PROVIDER_NOT_READY")
    assert Table({}, clock=lambda: NOW).resolve("flag").code == "FLAG_NOT_FOUND"


def test_metadata_of_the_flag_goes_over_that_of_the_set():
    flag = flag_with(..., metadata={"owner": "web"})
    table = Table(
        {"flag": json.dumps(flag).encode()}, metadata={"flagSetId": "shop", "owner": "all"}, clock=lambda: NOW
    )
    assert table.described(table.resolve("flag")) == {"flagSetId": "shop", "owner": "web"}
    assert table.described(table.resolve("none")) == {"flagSetId": "shop", "owner": "all"}
