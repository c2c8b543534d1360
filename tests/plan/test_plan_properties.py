"""What holds for every plan, whatever the services."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from midair.model.project import Build, Dependency, Drain, Hold, Port, Project, Service, Strategy, Update
from midair.plan import between, build, revision_of, scaled
from midair.plan.diff import diff
from midair.plan.order import in_order

NAMES = ("web", "api", "db", "cache", "worker")
WORDS = st.text(alphabet="abc.-_ é", min_size=1, max_size=6)
SECRET = "correct-horse-battery"

live_fields = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 9),
        "update": st.builds(
            Update, parallelism=st.integers(0, 4), order=st.sampled_from([None, "start-first", "stop-first"])
        ),
        "drain": st.builds(Drain, st.integers(0, 90)),
        "hold": st.builds(Hold, st.integers(0, 90)),
        "strategy": st.builds(Strategy, st.sampled_from(["rolling", "recreate"])),
        "ports": st.lists(st.builds(Port, st.integers(1, 9), st.integers(1, 9)), max_size=2).map(tuple),
        "stop_signal": st.sampled_from(["SIGTERM", "SIGINT"]),
        "writable_volume": st.booleans(),
        "extension": st.dictionaries(st.sampled_from(["drain", "hold", "on_change", "rollout"]), WORDS, max_size=2),
        "fields": st.dictionaries(
            st.sampled_from(["labels", "restart", "stop_signal", "container_name", "cap_add", "cpus", "networks"]),
            st.one_of(WORDS, st.dictionaries(WORDS, WORDS, max_size=2), st.lists(WORDS, max_size=2), st.none()),
            max_size=3,
        ),
    },
)
lasting_fields = st.fixed_dictionaries(
    {},
    optional={
        "command": st.lists(WORDS, min_size=1, max_size=3).map(tuple),
        "entrypoint": st.lists(WORDS, min_size=1, max_size=2).map(tuple),
        "environment": st.dictionaries(WORDS, st.just(SECRET) | WORDS, max_size=3),
        "working_dir": WORDS,
        "user": WORDS,
        "build": st.builds(Build, WORDS),
    },
)


@st.composite
def service(draw, name="web", before=()):
    made = Service(name, **{"command": ("run",), **draw(lasting_fields), **draw(live_fields)})
    others = draw(st.lists(st.sampled_from(before), unique=True, max_size=3)) if before else []
    return replace(made, depends_on={other: Dependency(restart=draw(st.booleans())) for other in others})


@st.composite
def projects(draw):
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    services = [draw(service(name, tuple(names[:place]))) for place, name in enumerate(names)]
    return Project("shop", {one.name: one for one in draw(st.permutations(services))})


@st.composite
def states(draw):
    project = draw(projects())
    releases = {name: draw(st.sampled_from([None, "r1", "r2"])) for name in project.services}
    return build(None, project, releases)[1]


@settings(max_examples=50)
@given(service())
def test_a_service_does_not_differ_from_itself(one):
    assert diff(one, msgspec.convert(msgspec.to_builtins(one), Service)) == ()


@settings(max_examples=50)
@given(projects(), st.sampled_from([None, "r1"]))
def test_the_same_file_again_changes_nothing(project, release):
    releases = dict.fromkeys(project.services, release)
    _, after = build(None, project, releases)
    again, same = build(after, project, releases)
    assert again.is_empty
    assert same == after


@settings(max_examples=50)
@given(service(), live_fields, st.sampled_from([None, "r1"]))
def test_live_fields_never_change_a_revision(one, fields, release):
    assert revision_of(replace(one, **fields), release).id == revision_of(one, release).id


@settings(max_examples=50)
@given(service(), lasting_fields)
def test_lasting_fields_always_change_a_revision(one, fields):
    other = replace(one, **fields)
    same = all(getattr(one, name) == value for name, value in fields.items() if name != "build")
    assert (revision_of(one, None).id == revision_of(other, None).id) == same


@settings(max_examples=50)
@given(projects())
def test_the_order_respects_every_dependency(project):
    order = in_order(project.services)
    assert sorted(order) == sorted(project.services)
    for one in project.services.values():
        assert all(order.index(other) < order.index(one.name) for other in one.depends_on)


@settings(max_examples=50)
@given(states(), states())
def test_the_plan_back_is_the_mirror_of_the_plan_there(here, there):
    mirror = {"added": "removed", "removed": "added", "changed": "changed", "add": "remove", "remove": "add"}
    forth = {step.service: step for step in between(here, there).steps}
    back = {step.service: step for step in between(there, here).steps}
    assert forth.keys() == back.keys()
    for name, step in forth.items():
        other = back[name]
        assert other.kind == mirror.get(step.kind, step.kind)
        assert (other.before, other.after) == (step.after, step.before)
        assert (other.replicas_before, other.replicas_after) == (step.replicas_after, step.replicas_before)
        assert sorted((c.path, mirror[c.kind], c.field_class, c.after, c.before) for c in step.changes) == sorted(
            (c.path, c.kind, c.field_class, c.before, c.after) for c in other.changes
        )


@settings(max_examples=50)
@given(states(), states())
def test_a_plan_holds_no_value_of_the_environment(here, there):
    assert SECRET.encode() not in msgspec.json.encode(between(here, there))


@settings(max_examples=50)
@given(states(), states())
def test_a_revision_changes_exactly_when_a_change_says_so(here, there):
    for step in between(here, there).steps:
        if step.kind in ("change", "keep"):
            said = any(change.field_class in ("replace", "recreate") for change in step.changes)
            assert said == (step.before != step.after)


@settings(max_examples=50)
@given(states(), st.integers(0, 9))
def test_scaling_there_and_back_is_as_if_nothing_happened(state, count):
    for name, one in state.project.services.items():
        assert scaled(scaled(state, name, count), name, one.replicas) == state


@settings(max_examples=50)
@given(states(), states())
def test_a_digest_stands_for_what_was_compared(here, there):
    plan, nothing = between(here, there), between(here, here)
    assert plan.digest == between(here, there).digest
    assert nothing.is_empty
    assert plan.is_empty or plan.digest != nothing.digest
