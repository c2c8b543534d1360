"""Whatever is in the files, loading either gives a project or says what is wrong."""

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from midair.errors import FileRefused
from midair.model.project import Project
from midair.spec import known_fields, load

CASES = Path(__file__).parent / "cases"
SEEDS = [path.read_text() for path in sorted(CASES.glob("*/*.yaml"))]
NAMES = sorted({part for field in known_fields() for part in field.path.replace("[]", "").split(".")} | {"services"})
WORDS = [
    "${A:-b}",
    "${A",
    "$$",
    "80:80",
    "1-3:4",
    "10m",
    "1g",
    "./a:/b",
    "db",
    "CMD",
    "true",
    "x",
    "service:db",
    "=",
    ":",
]
QUIET = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4)),
    max_leaves=12,
)
services = st.dictionaries(
    st.sampled_from(["web", "db", "x"]), st.dictionaries(st.sampled_from(NAMES), values), max_size=3
)


def outcome(text, *more):
    files = {f"/srv/{index}.yaml": each for index, each in enumerate((text, *more))}

    def read(path):
        if path not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[path]

    try:
        project = load(list(files), read, {"SET": "1"}, project_name="fuzz")
    except FileRefused as error:
        refused = error
    else:
        assert isinstance(project, Project)
        return project
    assert refused.problems
    return refused


@QUIET
@given(st.text(max_size=200))
@example("services:\n  a: {image: &a [*a]}")
@example("\ufeffservices: {a: {image: b}}")
@example("a: !!python/object:os.system x")
@example("services: {? [a] : b}")
@example("services: {a: {image: b, ports: ['\u0661:\u0662']}}")
def test_any_text_is_loaded_or_refused(text):
    outcome(text)


@QUIET
@given(st.text(alphabet=string.printable + "é\u2028\x00", max_size=120))
def test_any_service_text_is_loaded_or_refused(text):
    outcome(f"services:\n  web:\n    image: x\n    {text}\n")


@QUIET
@given(services, st.dictionaries(st.sampled_from(NAMES), values, max_size=3), services)
def test_any_structure_is_loaded_or_refused(first, rest, second):
    outcome(yaml.safe_dump({"services": first, **rest}), yaml.safe_dump({"services": second}))


@QUIET
@given(st.data())
def test_a_damaged_file_is_loaded_or_refused(data):
    text = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = (
            text[:start]
            + data.draw(st.sampled_from([*WORDS, "", "{", "[", "]", "\n", "  ", "*common", "<<:"]))
            + text[end:]
        )
    outcome(text)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "a: " + "x" * 3_000_000,
        "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9) if n else 'x'}]" for n in range(20)),
        "services: {a: {image: '" + "${A:-" * 10_000 + "}" * 10_000 + "'}}",
        "services: {a: {image: b, ports: ['1-65535:1-65535']}}" * 2,
    ],
    ids=["lists", "mappings", "dashes", "long", "bomb", "nested variables", "twice"],
)
def test_what_is_too_much_is_refused(text):
    assert isinstance(outcome(text), FileRefused)
