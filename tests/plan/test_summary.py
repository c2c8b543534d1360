"""The history says in a few words what a change changed."""

from midair.model.plan import FieldChange, Plan, PlanStep
from midair.plan import summary


def step(service, kind, *paths):
    changes = tuple(FieldChange(path, "changed", "replace", "because") for path in paths)
    return PlanStep(service, kind, None, changes)


def test_changed_fields_are_named_by_service():
    plan = Plan(
        "shop", (step("web", "change", "build (code)", "environment.COLOUR", "deploy.replicas"), step("api", "add"))
    )
    assert summary(plan) == "web: code, env COLOUR, replicas; api added"


def test_kept_services_are_left_out():
    assert summary(Plan("shop", (step("web", "keep"), step("db", "remove")))) == "db removed"


def test_long_lists_are_counted():
    fields = [f"environment.V{number}" for number in range(7)]
    assert summary(Plan("shop", (step("web", "change", *fields),))) == "web: env V0, env V1, env V2, env V3 and 3 more"


def test_change_without_fields_is_still_named():
    assert summary(Plan("shop", (step("web", "change"),))) == "web changed"
    assert summary(Plan("shop")) == "no difference"


def test_a_change_of_folder_alone_is_named():
    assert summary(Plan("shop"), "/srv/old", "/srv/new") == "moved to /srv/new"
    assert summary(Plan("shop"), "/srv/old", "/srv/old") == "no difference"
