"""Variables in text, compared with a reference that never parses: it evaluates what was written out as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midair.spec.interpolate import BadTemplate, substitute

VALUES = {"SET": "value", "EMPTY": "", "_under9": "u", "lower": "l"}
NAMES = [*VALUES, "UNSET", "ALSO_UNSET"]

literals = st.text(alphabet="ab :-?+/=.\n", max_size=5).map(lambda text: ("text", text))
dollars = st.just(("dollar",))
names = st.sampled_from(NAMES)


def braced(inner):
    return st.tuples(
        st.just("braced"), names, st.sampled_from(["", ":-", "-", ":+", "+", ":?", "?"]), st.lists(inner, max_size=3)
    )


plain_variables = st.tuples(st.just("plain"), names)
templates = st.lists(
    st.recursive(
        st.one_of(literals, dollars, plain_variables), lambda inner: st.one_of(inner, braced(inner)), max_leaves=8
    ),
    max_size=5,
)


class Missing(Exception):
    pass


def written(parts):
    """The template as text. A plain variable is followed by a comma, which no name contains."""
    text = ""
    for part in parts:
        match part:
            case ("text", literal):
                text += literal
            case ("dollar",):
                text += "$$"
            case ("plain", name):
                text += f"${name},"
            case ("braced", name, operator, inner):
                text += "${" + name + operator + (written(inner) if operator else "") + "}"
    return text


def meant(parts):
    """What the template stands for."""
    text = ""
    for part in parts:
        match part:
            case ("text", literal):
                text += literal
            case ("dollar",):
                text += "$"
            case ("plain", name):
                text += VALUES.get(name, "") + ","
            case ("braced", name, operator, inner):
                text += _braced(name, operator, inner)
    return text


def _braced(name, operator, inner):
    value = VALUES.get(name)
    if not operator:
        return value or ""
    there = bool(value) if operator.startswith(":") else value is not None
    if operator.endswith("+"):
        return meant(inner) if there else ""
    if there:
        return value
    if operator.endswith("-"):
        return meant(inner)
    raise Missing(meant(inner))


def outcome(make):
    try:
        return make()
    except (BadTemplate, Missing):
        return "refused"


@given(templates)
def test_a_template_stands_for_what_its_parts_stand_for(parts):
    told = outcome(lambda: substitute(written(parts), VALUES.get, lambda name: None))
    assert told == outcome(lambda: meant(parts))


@given(st.text())
def test_text_without_dollar_signs_stays_as_it_is(text):
    text = text.replace("$", "")
    assert substitute(text, VALUES.get, lambda name: None) == text


@given(st.text())
def test_doubled_dollar_signs_become_single_ones(text):
    assert substitute(text.replace("$", "$$"), VALUES.get, lambda name: None) == text


def test_a_default_that_is_not_needed_is_not_evaluated():
    assert substitute("${SET:-${UNSET:?never}}", VALUES.get, lambda name: None) == "value"


def test_variables_without_value_and_default_are_named():
    missing = []
    substitute("$UNSET ${UNSET} ${ALSO_UNSET:-x} $SET ${A_THIRD:+y}", VALUES.get, missing.append)
    assert missing == ["UNSET", "UNSET"]


@pytest.mark.parametrize("text", ["$", "^ok$", "$1", "$(date)", "$@", "a $ b", "a$-b", "$É"])
def test_dollar_sign_without_variable_stays(text):
    assert substitute(text, VALUES.get, lambda name: None) == text
    assert substitute("${UNSET:-" + text + "}", VALUES.get, lambda name: None) == text


def test_three_dollar_signs_are_two():
    assert substitute("$$$", VALUES.get, lambda name: None) == "$$"


@pytest.mark.parametrize("text", ["${", "${}", "${1}", "${A", "${A!b}", "${A b}", "${:-x}"])
def test_what_is_no_template_is_refused(text):
    with pytest.raises(BadTemplate):
        substitute(text, VALUES.get, lambda name: None)
