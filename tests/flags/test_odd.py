"""One flag with a mistake keeps no other flag from being served: it answers as in flagd, and a warning names it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midair.cli.load import load_project
from midair.errors import FileRefused
from midair.flags import lint, operate
from midair.flags.definition import document
from midair.flags.engine import Table
from midair.flags.merge import differences, merge
from midair.flags.operators import KNOWN
from midair.flags.plain import lines, stock
from midair.flags.read import build, warnings
from midair.flagserver.hub import Served


def flag(targeting, **changes):
    variants = {"state": "ENABLED", "variants": {"a": "a", "b": "b"}, "defaultVariant": "a"}
    return {**variants, "targeting": targeting, **changes}


SET = {
    "flags": {
        "good": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "on"},
        "odd": flag({"if": [{"==": [{"var": "x"}, 1]}, "b", "none-of-them"]}),
        "ref": flag({"if": [{"$ref": "nowhere"}, "a", "b"]}),
        "ver": flag({"if": [{"sem_ver": ["1.0.0", "==="]}, "a", "b"]}),
        "operator": flag({"iff": [True, "a"]}),
        "part": flag(None, colour="red"),
    }
}


def table(flags):
    return Table(lines(flags), version=flags.fractional, clock=lambda: 0)


def test_other_flags_are_served_beside_an_odd_one():
    flags = table(build(SET))
    assert flags.resolve("good").value is True
    assert flags.resolve("part").value == "a"


def test_odd_rule_is_an_error_where_it_gets_there():
    flags = table(build(SET))
    assert flags.resolve("odd", {"x": 1}).value == "b"
    assert flags.resolve("odd", {"x": 2}).code == "GENERAL"
    assert flags.resolve("ref").code == flags.resolve("operator").code == "PARSE_ERROR"


def test_each_odd_flag_is_a_warning():
    effect = "; who gets there gets the default of the code"
    assert warnings(build(SET), "f.json") == (
        f'f.json: flag odd: targeting.if.2 names no variant: "none-of-them"{effect}',
        f'f.json: flag ref: targeting.if.0.$ref names nothing in $evaluators: "nowhere"{effect}',
        f"f.json: flag ver: targeting.if.0.sem_ver should have three arguments, got 2{effect}",
        f'f.json: flag operator: targeting has an unknown operator, "iff"; did you mean "if"?{effect}',
        "f.json: flag part: colour is not a part of a flag; put what is yours under metadata or x-midair",
    )


def test_warnings_of_the_file_are_those_of_the_project(tmp_path):
    (tmp_path / "compose.yaml").write_text("x-midair: {flags: flags.json}\nservices: {web: {command: run}}\n")
    (tmp_path / "flags.json").write_text('{"flags": {"odd": {"state": "ENABLED", "variants": {"a": 1}, "color": 1}}}')
    (warning,) = load_project(cwd=tmp_path, environ={}).warnings
    assert warning.startswith("flags.json: flag odd: color is not a part of a flag")


def test_typed_definition_is_refused_for_any_mistake():
    flags = build(SET)
    with pytest.raises(FileRefused, match="names no variant"):
        operate.define(flags, "good", flag({"if": [True, "c"]}), None)
    assert operate.define(flags, "good", flag({"if": [True, "b"]}), None).odd.keys() == flags.odd.keys()


def test_odd_flag_is_found_by_lint():
    kinds = {(found.flag, found.kind) for found in lint.lint(build(SET), 0)}
    assert ("odd", "odd") in kinds
    assert ("good", "odd") not in kinds


@pytest.mark.parametrize("change", ["on", "off", "kill", "share"])
def test_odd_flag_can_be_changed(change):
    odd = flag({"fractional": {"x": 1}}, variants={"on": True, "off": False}, defaultVariant="off")
    flags = build({"flags": {"odd": odd}})
    acts = {"on": operate.on, "off": operate.off, "kill": operate.kill}
    changed = operate.share(flags, "odd", {"on": 10}) if change == "share" else acts[change](flags, "odd")
    assert ("odd" in changed.odd) == (change == "kill")


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from("ab"))
rules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from([*KNOWN, "$ref", "iff"]), inner, max_size=2),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from([*KNOWN, "$ref"]), rules, min_size=1, max_size=1), rules)
def test_any_rule_is_served_or_refused(rule, extra):
    try:
        flags = build({"flags": {"a": flag(rule), "b": flag(None, metadata={"x": extra}, y=extra)}})
    except FileRefused:
        return
    served = Served("shop", flags)
    served.table.resolve("a", {"targetingKey": "u"})
    assert stock(flags)["flags"].keys() == {"a", "b"}
    assert build(document(flags)) == flags
    lint.lint(flags, 0)
    lint.stale(flags, {}, {"a": 0.0}, 1e9)
    differences(build(SET), flags)
    merge(build(SET), flags, flags)
    operate.share(flags, "a", {"b": 10})
