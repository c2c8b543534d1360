import pytest
from msgspec.structs import replace

from midair.errors import PlanRefused
from midair.model.project import Dependency, Service
from midair.plan import between, build, emptied
from midair.plan.order import in_order, with_dependencies


def chain(**depends):
    return {
        name: Service(name, command=("run",), depends_on={other: Dependency() for other in others})
        for name, others in depends.items()
    }


def test_services_come_after_what_they_depend_on():
    assert in_order(chain(web=["api"], api=["db", "cache"], cache=[], db=[])) == ["db", "cache", "api", "web"]


def test_services_without_dependencies_keep_the_order_of_the_file():
    assert in_order(chain(c=[], a=[], b=[])) == ["c", "a", "b"]


def test_a_circle_is_named():
    with pytest.raises(PlanRefused, match=r"(a → b → c → a|b → c → a → b|c → a → b → c)"):
        in_order(chain(a=["b"], b=["c"], c=["a"]))


def test_a_long_chain_is_no_problem():
    services = chain(**{f"s{number}": [f"s{number + 1}"] for number in range(3000)}, s3000=[])
    assert in_order(services) == [f"s{number}" for number in range(3000, -1, -1)]


def test_a_dependency_that_is_not_active_is_not_waited_for(project):
    services = chain(web=["mailhog"])
    assert in_order(services) == ["web"]
    assert build(None, project(*services.values()), {})[0].steps[0].waits_for == ()


def test_dependencies_near_and_far_come_with_a_service():
    services = chain(web=["api"], api=["db"], db=[], other=["db"])
    assert with_dependencies(("web",), services) == {"web", "api", "db"}


def test_removals_come_last_and_in_the_opposite_order(project, applied):
    services = chain(web=["api"], api=["db"], db=[], new=[])
    before = applied(*(services[name] for name in ("web", "api", "db")))
    steps = build(before, project(services["new"]), {})[0].steps
    assert [(step.service, step.kind) for step in steps] == [
        ("new", "add"),
        ("web", "remove"),
        ("api", "remove"),
        ("db", "remove"),
    ]


def test_down_removes_in_the_opposite_order_of_up(applied):
    services = chain(web=["api"], api=["db"], db=[])
    state = applied(*services.values())
    up = [step.service for step in between(None, state).steps]
    down = [step.service for step in between(state, emptied(state)).steps]
    assert up == ["db", "api", "web"] == down[::-1]


def test_a_new_order_alone_changes_no_replica(project, applied):
    services = chain(web=["db"], db=[])
    later = project(replace(services["web"], depends_on={}), services["db"])
    assert all(step.field_class in (None, "live") for step in build(applied(*services.values()), later, {})[0].steps)
