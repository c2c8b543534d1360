"""The plan says why the code of a service is another one."""

import pytest

from midair import plan
from midair.model.plan import Code
from midair.model.project import Build, Project, Service
from midair.model.release import again
from midair.plan.render import render

OLD, NEW = "python@sha256:" + "a" * 64, "python@sha256:" + "b" * 64
BASE = Code({"python:3.11": OLD, "node:20": "n"}, {"python:3.11": NEW, "node:20": "n"})
RELEASE = "midair/shop-web:c0ffee"
WEB = Service("web", runtime="docker", build=Build("/srv/web"), fields={"build": {"context": "/srv/web"}})


def planned(release, code=None):
    project = Project("shop", {"web": WEB})
    _, base = plan.build(None, project, {"web": RELEASE})
    return plan.build(base, project, {"web": release}, code={"web": code} if code else None)[0]


@pytest.mark.parametrize(
    ("release", "code", "paths"),
    [
        (f"{RELEASE}-1", BASE, ["base image python:3.11"]),
        ("midair/shop-web:beef", BASE, ["build (code)", "base image python:3.11"]),
        ("midair/shop-web:beef", None, ["build (code)"]),
        (f"{RELEASE}-1", None, ["build (code)"]),
        (again(RELEASE), BASE, ["build (--build)", "base image python:3.11"]),
        (RELEASE, BASE, []),
    ],
)
def test_plan_names_what_made_the_code_another(release, code, paths):
    assert [change.path for change in planned(release, code).steps[0].changes] == paths


def test_base_image_is_shown_with_both_digests():
    assert f"base image python:3.11 {'a' * 12} → {'b' * 12}  replace" in render(planned(f"{RELEASE}-1", BASE))


def test_revision_of_a_build_to_be_made_is_not_named():
    step = planned(again(RELEASE)).steps[0]
    assert (step.kind, step.after) == ("change", None)
