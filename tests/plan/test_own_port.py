"""The port of a replica's own: what plans say about it, and which revisions it belongs to."""

import pytest
from msgspec.structs import replace

from midair.model.project import Applied, HealthCheck, Hook, Port, Ready
from midair.plan import build
from midair.runtime.process.translate import slim


@pytest.fixture
def usual(web):
    """The lines of a usual Compose file: a fixed port in the command and in the check."""
    return replace(
        web,
        command=("gunicorn", "-b", "0.0.0.0:8000", "app:app"),
        healthcheck=HealthCheck(("CMD-SHELL", "curl -f http://localhost:8000/")),
    )


def of_older_midair(state):
    """The same state as it was stored before there was `own_port`."""
    services = {name: replace(one, own_port=None) for name, one in state.project.services.items()}
    revisions = {name: replace(one, service=services[name]) for name, one in state.revisions.items()}
    return Applied(replace(state.project, services=services), revisions)


def test_usual_file_runs_with_its_own_port(usual, project):
    plan, after = build(None, project(usual), {})
    run = slim(after.revisions["web"]).service
    assert run.command == ("gunicorn", "-b", "0.0.0.0:$PORT", "app:app")
    assert run.healthcheck.test == ("CMD-SHELL", "curl -f http://localhost:$PORT/")
    assert [text for text in plan.notes if "$PORT" in text] == [
        "web: 8000 in command and healthcheck becomes $PORT, the port that each replica has of its own"
    ]
    assert not plan.refusals


def test_hooks_and_ready_command_ask_the_replica_itself(usual, project):
    ask = ("curl", "localhost:8000/stop")
    service = replace(usual, ready=Ready(command=ask), pre_stop=(Hook(("true",)), Hook(ask)))
    run = slim(build(None, project(service), {})[1].revisions["web"]).service
    assert run.ready.command == run.pre_stop[1].command == ("curl", "localhost:$PORT/stop")
    assert run.pre_stop[0].command == ("true",)


def test_entrypoint_and_command_are_one_line(usual, project):
    service = replace(usual, entrypoint=("gunicorn", "-b"), command=(":8000", "app:app"))
    run = slim(build(None, project(service), {})[1].revisions["web"]).service
    assert run.entrypoint + run.command == ("gunicorn", "-b", ":$PORT", "app:app")


def test_digest_is_of_the_text_of_the_file(usual, project, applied):
    _, mapped = build(None, project(usual), {})
    _, kept = build(of_older_midair(mapped), project(usual), {})
    assert kept.revisions["web"].id == mapped.revisions["web"].id


def test_upgrade_of_midair_has_nothing_to_do(usual, project, applied):
    old = of_older_midair(applied(usual))
    plan, after = build(old, project(usual), {})
    assert plan.is_empty
    assert not plan.notes
    assert after.revisions == old.revisions


def test_live_change_leaves_an_old_revision_literal(usual, project, applied):
    old = of_older_midair(applied(usual))
    check = HealthCheck(("CMD-SHELL", "curl -f http://localhost:8000/other"))
    plan, after = build(old, project(replace(usual, healthcheck=check)), {})
    assert plan.steps[0].before == plan.steps[0].after
    assert slim(after.revisions["web"]).service.healthcheck == check


def test_live_change_of_a_check_is_mapped(usual, project, applied):
    check = HealthCheck(("CMD-SHELL", "curl -f http://localhost:8000/other"))
    plan, after = build(applied(usual), project(replace(usual, healthcheck=check)), {})
    assert plan.steps[0].before == plan.steps[0].after
    assert "localhost:$PORT/other" in slim(after.revisions["web"]).service.healthcheck.test[1]


def test_next_replacement_maps_an_old_revision(usual, project, applied):
    old = of_older_midair(applied(usual))
    plan, after = build(old, project(replace(usual, environment={"LOG_LEVEL": "debug"})), {})
    assert [change.path for change in plan.steps[0].changes] == ["environment.LOG_LEVEL"]
    assert any("becomes $PORT" in text for text in plan.notes)
    assert slim(after.revisions["web"]).service.command[2] == "0.0.0.0:$PORT"


def test_unclear_port_is_refused_with_the_line_to_write(web, project, applied):
    service = replace(web, command=("node", "server.js", "8000"))
    (refusal,) = build(None, project(service), {})[0].refusals
    assert "write `command: node server.js $$PORT` if it is" in refusal
    assert "x-midair: {port: literal}" in refusal


def test_unclear_port_of_a_running_service_is_not_refused(web, project, applied):
    service = replace(web, command=("node", "server.js", "8000"))
    old = of_older_midair(applied(service))
    assert build(old, project(replace(service, replicas=2)), {})[0].refusals == ()


def test_unclear_check_is_refused_as_a_list(web, project):
    service = replace(web, healthcheck=HealthCheck(("CMD", "./ask.sh", "8000")))
    (refusal,) = build(None, project(service), {})[0].refusals
    assert 'write `test: ["CMD","./ask.sh","$$PORT"]` if it is' in refusal


def test_command_with_two_ports_is_refused(web, project):
    ports = (Port(8000, 8000), Port(9000, 9000))
    service = replace(web, ports=ports, command=("gunicorn", "-b", ":8000", "-b", ":9000"))
    assert "listens on 8000 and 9000" in build(None, project(service), {})[0].refusals[0]


def test_literal_port_is_left_as_it_is(usual, project):
    service = replace(usual, extension={"port": "literal"})
    plan, after = build(None, project(service), {})
    assert slim(after.revisions["web"]).service.command == usual.command
    assert not plan.refusals


def test_literal_port_replaces_what_is_mapped(usual, project, applied):
    plan, _ = build(applied(usual), project(replace(usual, extension={"port": "literal"})), {})
    assert plan.steps[0].field_class == "replace"


def test_containers_keep_their_ports(usual, project):
    service = replace(usual, runtime="docker", image="web")
    assert build(None, project(service), {})[1].revisions["web"].service.own_port is None


def test_names_that_are_no_text_are_passed_over(usual, project):
    odd = replace(usual, fields={**usual.fields, "hostname": {"no": "text"}})
    assert not build(None, project(odd), {})[0].refusals


def test_partial_up_leaves_other_services_alone(usual, db, project, applied):
    old = of_older_midair(applied(usual, db))
    changed = replace(usual, environment={"LOG_LEVEL": "debug"})
    _, after = build(old, project(changed, db), {}, only=("db",))
    assert after.project.services["web"] == old.project.services["web"]
