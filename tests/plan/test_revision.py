from msgspec.structs import replace

from midair.model.project import Applied, Drain, HealthCheck, Port, Project, Service, Update
from midair.plan import build, limits_of, revision_of, scaled


def test_a_revision_id_is_eight_hex_digits_of_its_content(web):
    revision = revision_of(web, "r1")
    assert len(revision.id) == 8
    assert int(revision.id, 16) >= 0
    assert revision == revision_of(replace(web), "r1")


def test_live_changes_keep_the_id(web):
    live = replace(
        web,
        replicas=9,
        update=Update(parallelism=3),
        healthcheck=HealthCheck(("NONE",)),
        drain=Drain(1),
        stop_signal="SIGINT",
        ports=(Port(1, 2),),
        fields={**web.fields, "deploy": {"replicas": 9}, "stop_signal": "SIGINT", "labels": {"a": "b"}, "cpus": 2},
        extension={"drain": {"timeout": "1s"}, "ready": {"interval": "1s"}},
    )
    assert revision_of(live, "r1").id == revision_of(web, "r1").id


def test_code_command_and_environment_are_part_of_the_id(web):
    variants = [
        revision_of(web, "r1"),
        revision_of(web, "r2"),
        revision_of(web, None),
        revision_of(replace(web, command=("other",)), "r1"),
        revision_of(replace(web, entrypoint=("sh",)), "r1"),
        revision_of(replace(web, environment={}), "r1"),
        revision_of(replace(web, working_dir="/"), "r1"),
        revision_of(replace(web, user="app"), "r1"),
        revision_of(replace(web, extension={"ready": {"http": "/"}}), "r1"),
        revision_of(replace(web, extension={"build": {"command": "make"}}), "r1"),
        revision_of(web, "r1", restarts_with={"db": "12345678"}),
    ]
    assert len({variant.id for variant in variants}) == len(variants)


def test_limits_have_a_digest_of_their_own_where_they_change_in_place(web):
    limited = replace(web, fields={**web.fields, "mem_limit": 1024})
    assert limits_of(limited) == limits_of(web) == ""
    on_docker = [replace(one, runtime="docker") for one in (web, limited)]
    assert limits_of(on_docker[0]) != limits_of(on_docker[1])
    assert revision_of(on_docker[0], None).id == revision_of(on_docker[1], None).id


def test_the_shell_goes_along_without_being_part_of_the_id(web):
    here = revision_of(web, "r1", shell={"PATH": "/here"})
    assert here.id == revision_of(web, "r1", shell={"PATH": "/there"}).id
    assert here.shell == {"PATH": "/here"}


def test_an_unchanged_revision_keeps_the_shell_it_was_made_in(web, project, applied):
    later = replace(project(web), shell={"PATH": "/other"})
    assert build(applied(web), later, {})[1].revisions["web"].shell == {"PATH": "/bin"}


def test_a_field_can_make_a_revision_on_one_runtime_and_not_on_another(web):
    labelled = replace(web, fields={**web.fields, "labels": {"a": "b"}})
    assert revision_of(labelled, None, "process").id == revision_of(web, None, "process").id
    assert revision_of(labelled, None, "docker").id != revision_of(web, None, "docker").id


def test_scaling_keeps_the_revision_and_its_service_says_the_new_count(web, applied):
    before = applied(web)
    after = scaled(before, "web", 5)
    assert after.revisions["web"].id == before.revisions["web"].id
    assert after.revisions["web"].service.replicas == 5


def test_settings_that_follow_from_the_same_file_in_another_way_are_a_live_change(web, project, applied):
    step = build(applied(web), project(replace(web, update=Update(monitor_s=9))), {})[0].steps[0]
    assert [(change.path, change.field_class) for change in step.changes] == [("(settings)", "live")]


def test_values_that_only_look_alike_make_different_revisions():
    one = Service("a", command=("b c",))
    two = Service("a", command=("b", "c"))
    assert revision_of(one, None).id != revision_of(two, None).id


def test_a_partial_up_keeps_the_revisions_of_the_other_services(web, db, project, applied):
    before = applied(web, db, web="r1")
    _, after = build(before, project(replace(web, user="x"), replace(db, user="x")), {"web": "r1"}, only=("web",))
    assert after.revisions["db"] == before.revisions["db"]
    assert after.revisions["web"].id != before.revisions["web"].id


def test_a_first_partial_up_leaves_the_others_out(web, db, project):
    made, after = build(None, project(web, db), {}, only=("db",))
    assert [step.service for step in made.steps] == ["db"]
    assert set(after.project.services) == set(after.revisions) == {"db"}
    assert isinstance(after.project, Project)


def test_field_with_a_later_effect_rolls_nothing_that_runs():
    fields = {"image": "nginx", "annotations": {"a": "b"}}
    web = Service(name="web", runtime="docker", image="nginx", fields=fields)
    before = revision_of(web, "r1", at_first=True)
    project = Project("shop", {"web": web})
    plan, after = build(Applied(project, {"web": before}), project, {"web": "r1"})
    assert plan.is_empty
    assert after.revisions["web"].id == before.id
    other = replace(web, fields={**fields, "annotations": {"a": "c"}})
    plan, after = build(Applied(project, {"web": before}), Project("shop", {"web": other}), {"web": "r1"})
    assert [change.field_class for change in plan.steps[0].changes] == ["replace"]
    assert after.revisions["web"].id == revision_of(other, "r1").id != before.id
