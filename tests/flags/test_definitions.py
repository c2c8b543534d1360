"""Definitions: what is accepted, every problem at once with its path, and midair's words compiled away."""

import json
from itertools import pairwise

import pytest

from midair.errors import FileRefused
from midair.flags.definition import document, write
from midair.flags.engine import Table
from midair.flags.plain import lines, stock
from midair.flags.read import build, read

BUTTON = {
    "state": "ENABLED",
    "variants": {"on": True, "off": False},
    "defaultVariant": "off",
    "targeting": {"fractional": [["on", 10], ["off", 90]]},
}


BOMB = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(20))


def flag(**changes):
    return {**BUTTON, **changes}


def problems_of(data):
    with pytest.raises(FileRefused) as refused:
        build(data)
    return {problem.path: problem.message for problem in refused.value.problems}


def evaluate(flags, key, now=0, **context):
    table = Table(lines(flags), version=flags.fractional, clock=lambda: now)
    found = table.resolve(key, context)
    assert found.code is None, found
    return found.variant


def test_all_problems_come_at_once_with_their_paths():
    data = {
        "flags": {
            "a": flag(state="ON", defaultVariant="onn", colour="red"),
            "b": flag(variants={"on": True, "off": "no"}, targeting={"if": [{"strats_with": ["x", "y"]}, "of"]}),
            "c": flag(metadata={"owner": {"team": "web"}}, targeting={"fractional": [["on", 10.0], ["off"]]}),
            "d": flag(targeting={"sem_ver": [{"var": "v"}, "=>", "1.0.0"]}),
            "e": flag(targeting={"if": [{"$ref": "nobody"}, "on"]}),
            "f": "on",
            "g": flag(variants={}, defaultVariant=None, targeting=None),
        },
        "metadata": {"version": None},
        "x-midair": {
            "fractional": "v4",
            "flgs": {},
            "flags": {
                "x": {},
                "a": {"requires": {"zzz": "on", "c": "maybe"}, "ownr": "me", "expires": "soon"},
                "c": {"segments": ["beta"], "schedule": [{"at": "tomorrow", "variant": "on"}, {"at": "2027-01-01"}]},
            },
        },
    }
    assert problems_of(data) == {
        "flags.a.state": 'should be ENABLED or DISABLED, got "ON"',
        "flags.a.defaultVariant": 'names no variant: "onn"; did you mean "on"?',
        "flags.a.colour": "is not a part of a flag; put what is yours under metadata or x-midair",
        "flags.b.variants": "should be of one type, got boolean and string",
        "flags.b.targeting.if.0": 'has an unknown operator, "strats_with"; did you mean "starts_with"?',
        "flags.b.targeting.if.1": 'names no variant: "of"; did you mean "off"?',
        "flags.c.metadata.owner": "should be a text, a number, true or false, got an object",
        "flags.c.targeting.fractional.0.1": 'should be a whole number, got "10.0"',
        "flags.d.targeting.sem_ver.1": 'should be one of = != < <= > >= ^ ~, got "=>"',
        "flags.e.targeting.if.0.$ref": 'names nothing in $evaluators: "nobody"',
        "flags.f": 'should be an object, got "on"',
        "flags.g.variants": "should name at least one variant",
        "metadata.version": "should be a text, a number, true or false, got nothing",
        "x-midair.flgs": "is not known; did you mean 'flags'?",
        "x-midair.fractional": 'should be v2 or v3, got "v4"',
        "x-midair.flags.x": "is about a flag that is not here",
        "x-midair.flags.a.ownr": "is not known; did you mean 'owner'?",
        "x-midair.flags.a.expires": 'should be a date such as 2027-01-31, got "soon"',
        "x-midair.flags.a.requires.zzz": "is not a flag of this set",
        "x-midair.flags.a.requires.c": 'names no variant of "c": "maybe"',
        "x-midair.flags.c.segments": 'should list segments of x-midair.segments, got "beta"',
        "x-midair.flags.c.schedule.0.at": 'should be a time such as 2027-01-31T09:00:00Z, got "tomorrow"',
        "x-midair.flags.c.schedule.1": "should have one of variant, share and targeting",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"flags": ', "f.json:1:11 is not JSON: expecting value"),
        ('{"flags": {}, "flags": {}}', 'f.json says "flags" twice in one object'),
        ('{"flags": {"a": NaN}}', "f.json says NaN, which JSON has no number for"),
        ("flags: {}\nflags: {}", 'f.json says "flags" twice in one object'),
        ("flags: [", "f.json:1:9 is not YAML"),
        ('{"flags":' * 900 + "1" + "}" * 900, "f.json is nested too deeply"),
        ("flags: &a [*a]", "f.json is nested too deeply"),
        (BOMB, "f.json has more than 1000000 values once aliases are followed"),
        ("[]", "should be an object, got a list"),
        ('{"flag": {}}', 'flags: is missing; did you mean it by "flag"?'),
        ("", "should be an object, got nothing"),
    ],
)
def test_a_broken_file_is_refused_in_words(text, message):
    with pytest.raises(FileRefused) as refused:
        read(text, "f.json")
    assert message in str(refused.value)


def test_a_deep_rule_is_refused_and_a_long_one_is_not():
    rule = "on"
    for _ in range(150):
        rule = {"if": [True, rule]}
    assert list(problems_of({"flags": {"a": flag(targeting=rule)}}).values()) == [
        "is nested more than 100 operators deep"
    ]
    arms = [part for number in range(10_000) for part in ({"==": [{"var": "n"}, number]}, "on")]
    flags = build({"flags": {"a": flag(targeting={"if": [*arms, "off"]})}})
    assert len(lines(flags)["a"]) > 300_000
    assert evaluate(flags, "a", n=9_999) == "on"
    assert evaluate(flags, "a", n=10_000) == "off"


def test_a_rule_as_deep_as_is_allowed_is_evaluated():
    rule = {"==": [{"var": "n"}, 1]}
    for _ in range(95):
        rule = {"and": [rule, True]}
    flags = build({"flags": {"a": flag(targeting={"if": [rule, "on", "off"]})}})
    assert evaluate(flags, "a", n=1) == "on"
    assert evaluate(flags, "a", n=2) == "off"


def test_yaml_json_and_the_daemons_list_mean_the_same():
    data = {"flags": {"a": BUTTON}, "metadata": {"flagSetId": "shop"}}
    yaml = """
flags:
  a:
    state: ENABLED
    variants: {on: true, off: false}
    defaultVariant: off
    targeting: {fractional: [[on, 10], [off, 90]]}
metadata: {flagSetId: shop}
"""
    daemons = {"flags": [{"key": "a", **BUTTON}], "metadata": {"flagSetId": "shop"}}
    assert read(yaml) == read(json.dumps(data)) == build(daemons)


def test_what_is_written_reads_the_same():
    data = {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "flags": {"a": BUTTON},
        "$evaluators": {"e": {"==": [1, 1]}},
        "x-midair": {"fractional": "v3", "flags": {"a": {"owner": "web"}}},
    }
    flags = build(data)
    assert document(flags) == data
    assert read(write(flags)) == flags


def test_references_are_put_in_their_place():
    flags = build(
        {
            "flags": {"a": flag(targeting={"if": [{"$ref": "german"}, "on", "off"]})},
            "$evaluators": {"german": {"in": [{"var": "country"}, ["DE", "AT"]]}},
        }
    )
    assert "$ref" not in json.dumps(stock(flags))
    assert evaluate(flags, "a", country="AT") == "on"


def test_segments_keep_others_out():
    flags = build(
        {
            "flags": {"a": flag(targeting=None, defaultVariant="on")},
            "x-midair": {
                "segments": {"beta": {"in": [{"var": "targetingKey"}, ["jane"]]}},
                "flags": {"a": {"segments": ["beta"]}},
            },
        }
    )
    assert evaluate(flags, "a", targetingKey="jane") == "on"
    assert evaluate(flags, "a", targetingKey="john") == "off"


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_flag_that_requires_another_goes_with_it(version):
    rule = {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on"]}
    flags = build(
        {
            "flags": {
                "parent": flag(targeting=rule),
                "child": flag(targeting=None, defaultVariant="on"),
                "grandchild": flag(targeting=None, defaultVariant="on"),
                "stray": flag(targeting=None, defaultVariant="on"),
                "gone": flag(state="DISABLED"),
            },
            "x-midair": {
                "fractional": version,
                "flags": {
                    "child": {"requires": {"parent": "on"}},
                    "grandchild": {"requires": {"child": ["on"]}},
                    "stray": {"requires": {"gone": "on"}, "otherwise": "off"},
                },
            },
        }
    )
    for key in ("parent", "child", "grandchild"):
        assert evaluate(flags, key, email="jane@example.com") == "on"
        assert evaluate(flags, key, email="jane@example.org") == "off"
    assert evaluate(flags, "stray") == "off"


def test_under_v2_a_required_share_picks_the_same_users():
    flags = build(
        {
            "flags": {"parent": BUTTON, "child": flag(targeting=None, defaultVariant="on")},
            "x-midair": {"fractional": "v2", "flags": {"child": {"requires": {"parent": "on"}}}},
        }
    )
    users = [f"user-{number}" for number in range(500)]
    pairs = {
        (evaluate(flags, "parent", targetingKey=user), evaluate(flags, "child", targetingKey=user)) for user in users
    }
    assert pairs == {("on", "on"), ("off", "off")}
    assert evaluate(flags, "child") == "off"


def test_under_v3_a_required_share_needs_a_key_of_its_own():
    data = {
        "flags": {"parent": BUTTON, "child": flag(targeting=None, defaultVariant="on")},
        "x-midair": {"fractional": "v3", "flags": {"child": {"requires": {"parent": "on"}}}},
    }
    assert list(problems_of(data)) == ["x-midair.flags.child.requires.parent"]
    key = {"cat": [{"var": "$flagd.flagKey"}, {"var": "targetingKey"}]}
    data["flags"]["parent"] = flag(targeting={"fractional": [key, ["on", 10], ["off", 90]]})
    flags = build(data)
    users = [f"user-{number}" for number in range(500)]
    pairs = {
        (evaluate(flags, "parent", targetingKey=user), evaluate(flags, "child", targetingKey=user)) for user in users
    }
    assert pairs == {("on", "on"), ("off", "off")}


def test_circles_are_named():
    extras = {"a": {"requires": {"b": "on"}}, "b": {"requires": {"c": "on"}}, "c": {"requires": {"a": "on"}}}
    data = {"flags": {"a": BUTTON, "b": BUTTON, "c": BUTTON}, "x-midair": {"flags": extras}}
    assert problems_of(data) == {"x-midair.flags.a.requires": "goes in a circle: a → b → c → a"}
    data = {
        "flags": {"a": flag(targeting={"if": [{"$ref": "x"}, "on"]})},
        "$evaluators": {"x": {"!": {"$ref": "y"}}, "y": {"!": {"$ref": "x"}}},
    }
    assert problems_of(data) == {"$evaluators": "refer to each other in a circle: x → y → x"}


def test_a_long_row_of_flags_that_require_each_other_is_refused():
    keys = [f"f{number}" for number in range(10)]
    extras = {key: {"requires": {after: "on"}} for key, after in pairwise(keys)}
    data = {"flags": dict.fromkeys(keys, flag(targeting=None)), "x-midair": {"flags": extras}}
    assert problems_of(data) == {"x-midair.flags.f0.requires": "goes through more than 8 flags"}
    del extras["f0"]
    assert evaluate(build(data), "f1") == "off"


def test_a_schedule_goes_by_the_readers_clock():
    steps = [
        {"at": "2027-01-01T09:00:00Z", "share": {"on": 100, "off": 0}},
        {"at": "2027-01-02", "variant": "off"},
    ]
    flags = build({"flags": {"a": flag(targeting=None)}, "x-midair": {"flags": {"a": {"schedule": steps}}}})
    start = 1_798_794_000
    assert evaluate(flags, "a", start - 1, targetingKey="x") == "off"
    assert evaluate(flags, "a", start, targetingKey="x") == "on"
    assert evaluate(flags, "a", start + 15 * 3600, targetingKey="x") == "off"
