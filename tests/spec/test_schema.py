"""The table of fields that plans and documentation are made from."""

import pytest

from midair.plan.table import row_of
from midair.spec import describe, known_fields


def test_every_field_is_there_once():
    paths = [field.path for field in known_fields()]
    assert len(paths) == len(set(paths)) > 300


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("image", "text"), ("deploy.replicas", "whole"), ("deploy.resources.limits.memory", "bytes"),
        ("environment.*", "scalar"), ("ports[].published", "scalar"), ("ulimits.*", "whole"),
        ("ulimits.*.soft", "whole"), ("healthcheck.interval", "duration"), ("x-midair.drain.timeout", "duration"),
        ("command[]", "text"),
    ],
)  # fmt: skip
def test_fields_are_described_by_their_path(path, kind):
    assert describe(path).kind == kind


def test_a_field_that_is_not_there_has_no_description():
    assert describe("imge") is None


def test_choices_and_ranges_are_part_of_the_description():
    assert describe("deploy.update_config.order").choices == ("start-first", "stop-first")
    assert (describe("oom_score_adj").low, describe("oom_score_adj").high) == (-1000, 1000)


def test_every_field_has_a_class_in_the_table_of_plans():
    for field in known_fields():
        if field.path.split(".")[0] not in ("extends", "profiles"):  # gone once a file is read
            row_of(tuple(field.path.replace("[]", "").split(".")))
