"""Nothing that the file sets is dropped in silence, also inside lists and settings."""

from pathlib import Path

import pytest

from midair.model.project import Service
from midair.plan import warn
from midair.plan.unused import UNUSED
from midair.spec import known_fields
from midair.spec.schema import walk
from midair.spec.table.project import PROJECT

LEAVES = [(runtime, path) for runtime, paths in UNUSED.items() for path in paths]
OFFICIAL = Path(__file__).parents[1] / "spec" / "official.txt"  # leaves of the Compose Specification's own schema


def fields(path):
    """The smallest canonical service that sets a leaf."""
    head, _, rest = path.partition(".")
    inner = fields(rest) if rest else "7"
    return {head.removesuffix("[]"): [inner] if head.endswith("[]") else inner}


@pytest.mark.parametrize(("runtime", "path"), LEAVES)
def test_plan_names_leaf_without_effect(runtime, path):
    service = Service(name="web", runtime=runtime, fields=fields(path))
    assert any(path in line for line in warn.of_file([service]) if line.startswith("without effect on")), path
    assert not any(path in line for line in warn.of_file([Service(name="web", runtime=runtime)]))


def test_leaves_without_effect_are_in_the_schema():
    known = {field.path for field in known_fields()}
    assert {path for _, path in LEAVES} <= known


def test_schema_lacks_no_official_leaf():
    known = {field.path for field in walk(PROJECT)}
    assert [path for path in OFFICIAL.read_text().split() if path not in known] == []
