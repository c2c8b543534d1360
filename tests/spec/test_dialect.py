"""Compose's dialect: what Docker Compose reads or refuses, midair reads or refuses in the same way."""

import pytest

from midair.cli.load import load_project
from midair.model.project import Port, Restart


def test_dollar_sign_that_begins_no_variable_is_kept(service):
    web = service("""
image: x
command: ["grep", "^ok$", "$1", "$(date)", "$@"]
environment: {A: "a $ b", B: "${UNSET:-^x$}", C: "$$$"}
""")
    assert web.command == ("grep", "^ok$", "$1", "$(date)", "$@")
    assert web.environment == {"A": "a $ b", "B": "^x$", "C": "$$"}


def test_variables_of_the_project_win_in_env_files(compose):
    project = compose(
        "services: {web: {image: x, env_file: a.env, environment: {DOC: service, ONLY: svc}}}",
        files={"a.env": "X=${DOC}\nY=${ONLY}"},
        environment={"DOC": "project"},
    )
    assert project.services["web"].environment == {"X": "project", "Y": "svc", "DOC": "service", "ONLY": "svc"}


@pytest.mark.parametrize("where", [".env", "a.env"])
def test_unset_variable_in_env_file_is_a_warning(tmp_path, where):
    (tmp_path / "compose.yaml").write_text("services: {web: {image: x, env_file: [{path: a.env, required: false}]}}")
    (tmp_path / where).write_text("\nHASH=$2a$10$Nq9\nKEPT='$2a$10$Nq9'\n")
    project = load_project(cwd=tmp_path, environ={})
    assert project.warnings == (
        f'{where}:2: a "$" in HASH begins a variable that is not set; quote the value with \' to keep it',
    )


@pytest.mark.parametrize(("text", "name"), [("My Shop!", "myshop"), ("_a", "a"), ("${A:-B c}", "bc"), ("!", "shop")])
def test_name_in_the_file_is_made_a_project_name(compose, text, name):
    assert compose(f'name: "{text}"\nservices: {{web: {{image: x}}}}').name == name


def test_port_may_have_an_empty_address(service):
    assert service('image: x\nports: ["${BIND:-}:8443:443", ":8080"]').ports == (Port(8443, 443, protocol="tcp"),)


def test_port_range_may_be_as_wide_as_ports_go(service):
    ports = service("image: x\nports: ['10000-20000:10000-20000/udp']").ports
    assert (len(ports), ports[0].port, ports[-1].target) == (10001, 10000, 20000)


def test_restart_condition_of_docker_compose_is_read(service):
    web = service("image: x\ndeploy: {restart_policy: {condition: unless-stopped}}")
    assert web.restart == Restart(condition="any")
    assert web.fields["deploy"]["restart_policy"] == {"condition": "unless-stopped"}


def test_pre_start_hooks_are_read_and_appended(compose):
    project = compose(
        "services: {web: {image: x, pre_start: [{command: [migrate], image: y, per_replica: true, user: u}]}}",
        "services: {web: {pre_start: [{command: seed all}]}}",
    )
    assert project.services["web"].fields["pre_start"] == [
        {"command": ["migrate"], "image": "y", "per_replica": True, "user": "u"},
        {"command": ["seed", "all"]},
    ]


@pytest.mark.parametrize(("command", "sign"), [("foo 2>&1 | tee log", ">"), ("foo (a)", "("), ("a && b", "&")])
def test_shell_sign_in_a_command_is_a_warning(compose, command, sign):
    (warning,) = compose(f'services: {{web: {{image: x, command: "{command}"}}}}').warnings
    expected = f'service web: command: "{sign}" is an argument here, as no shell runs it; '
    assert warning == expected + 'quote it, or write ["sh", "-c", "…"]'


@pytest.mark.parametrize("command", ["[sh, -c, a | b]", "sh -c 'a | b > c'", "a \\; b"])
def test_quoted_shell_sign_is_no_warning(compose, command):
    assert compose(f"services:\n  web:\n    image: x\n    command: {command}\n").warnings == ()


def test_numbers_are_read_as_go_reads_them(service):
    web = service('image: x\nmem_limit: .5g\nshm_size: "1_000"\nmem_reservation: "1.g"\nstop_grace_period: "+1s"')
    assert [web.fields[name] for name in ("mem_limit", "shm_size", "mem_reservation")] == [
        "536870912",
        "1000",
        "1073741824",
    ]
    assert web.stop_grace_s == 1.0


@pytest.mark.parametrize("build", ["build: '${CTX}'", "build: {context: '${CTX}', dockerfile: ''}"])
def test_empty_build_context_is_the_project_folder(compose, build):
    project = compose(f"services: {{web: {{image: x, {build}}}}}")
    assert (project.services["web"].build.context, project.services["web"].build.dockerfile) == (
        "/srv/shop",
        "Dockerfile",
    )
    assert project.warnings == ('variable "CTX" is not set: it is empty',)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("environment: {1: b}", "environment.1: a key should be text, got 1; put it in quotes"),
        ("labels: {true: b}", "labels.true: a key should be text, got true; put it in quotes"),
        (
            "deploy: {resources: {reservations: {devices: [{count: 2, device_ids: [a], capabilities: [gpu]}]}}}",
            "deploy.resources.reservations.devices[0]: count and device_ids exclude each other; write one of them",
        ),
        (
            "deploy: {resources: {reservations: {devices: [{count: 2}]}}}",
            "deploy.resources.reservations.devices[0].capabilities: is missing",
        ),
        (
            "volumes: [{type: tmpfs, target: /t, tmpfs: {size: 0.0001}}]",
            'volumes[0].tmpfs.size: should be a size such as "512m" or "2g", got 0.0001',
        ),
        ("volumes: [{type: null, source: v, target: /d}]", "volumes[0].type: is missing"),
    ],
)  # fmt: skip
def test_what_compose_refuses_is_refused(refusal, fields, problem):
    (line,) = refusal(f"services: {{web: {{image: x, {fields}}}}}")
    assert line.endswith(f"services.web.{problem}")
