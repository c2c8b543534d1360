"""The plan names the variable for which a build command runs again, and the line that prevents it."""

import msgspec
import pytest

from midair import plan
from midair.model.project import Build, Project, Service

BUILT = Service(
    "web", build=Build("/srv/web", command="npm ci"), environment={"NODE_ENV": "production", "SECRET_KEY": "hush"}
)


def planned(service, release, *, before=BUILT):
    _, base = plan.build(None, Project("shop", {"web": before}), {"web": "r1"})
    return plan.build(base, Project("shop", {"web": service}), {"web": release})[0]


def with_key(service=BUILT):
    return msgspec.structs.replace(service, environment={"NODE_ENV": "production", "SECRET_KEY": "other"})


def test_plan_names_the_variable_of_a_new_build():
    notes = [note for note in planned(with_key(), "r2").notes if "build" in note]
    assert notes == [
        "web: the build command sees SECRET_KEY, so it runs again; "
        "if it does not need that, write x-midair: {build_env: [NODE_ENV]}"
    ]


@pytest.mark.parametrize("names", [(), ("NODE_ENV",)])
def test_listed_variables_alone_are_no_news(names):
    listed = msgspec.structs.replace(BUILT, build_env=names)
    assert "build" not in " ".join(planned(with_key(listed), "r1", before=listed).notes)


def test_new_code_alone_is_no_matter_of_variables():
    assert "build command" not in " ".join(planned(BUILT, "r2").notes)


def test_listed_variable_without_value_is_named():
    listed = msgspec.structs.replace(BUILT, build_env=("NPM_TOKEN",))
    assert "web: x-midair.build_env names NPM_TOKEN, which its environment does not set" in planned(listed, "r2").notes


def test_build_env_is_no_part_of_a_revision():
    listed = msgspec.structs.replace(BUILT, build_env=("NODE_ENV",), extension={"build_env": ["NODE_ENV"]})
    step = planned(listed, "r1").steps[0]
    assert (step.before, step.field_class) == (step.after, "live")
