"""What midair acts on: the typed attributes and their defaults."""

import pytest

from midair.model.project import (
    Build,
    Dependency,
    Drain,
    HealthCheck,
    Hold,
    Hook,
    Port,
    Ready,
    Restart,
    Strategy,
    StrategyStep,
    Update,
)


def test_a_service_that_says_little_has_every_default(service):
    web = service("{image: x, x-midair: {runtime: process}}")
    assert (web.runtime, web.replicas, web.stop_signal, web.stop_grace_s) == ("process", 1, "SIGTERM", 10.0)
    assert (web.update, web.rollback) == (Update(), Update(failure_action="pause"))
    assert web.drain == Drain(websocket_s=5.0, in_surge=False)
    assert (web.strategy, web.hold, web.ready, web.healthcheck) == (Strategy(), Hold(), None, None)
    assert (web.command, web.entrypoint, web.build, web.ports) == (None, None, None, ())
    assert web.fields == {"image": "x", "networks": {"default": None}, "command": None, "entrypoint": None}
    assert web.extension == {"runtime": "process"}


def test_x_midair_is_typed_and_kept_apart(service):
    web = service("""
build: ./code
command: serve
x-midair:
  ready: {command: curl -f localhost, interval: 1s, retries: 9}
  rollout:
    strategy: canary
    steps: [{weight: 10}, {pause: 90s}, {pause: true}, {pause: {}}, {pause: {duration: 2m}}, {analysis: fast}]
    stick_by: "cookie:id"
  drain: {timeout: 5s, long_lived: wait}
  hold: {timeout: 1m}
  on_change: {app.toml: hup, b: "http://localhost/reload"}
  build: {command: make, ignore: "*.log"}
""")
    assert web.ready == Ready(command=("curl", "-f", "localhost"), interval_s=1.0, retries=9)
    assert web.strategy.steps == (
        StrategyStep(weight=10), StrategyStep(pause_s=90.0), StrategyStep(pause_s=-1.0), StrategyStep(pause_s=-1.0),
        StrategyStep(pause_s=120.0), StrategyStep(analysis="fast"),
    )  # fmt: skip
    assert (web.strategy.kind, web.strategy.stick_by) == ("canary", "cookie:id")
    assert (web.drain, web.hold) == (Drain(5.0, "wait", websocket_s=5.0, in_surge=False), Hold(60.0))
    assert web.on_change == {"app.toml": "SIGHUP", "b": "http://localhost/reload"}
    assert web.build == Build("/srv/shop/code", dockerfile="Dockerfile", command="make", ignore=("*.log",))
    assert "x-midair" not in web.fields
    assert web.extension["drain"] == {"timeout": "5s", "long_lived": "wait"}


def test_a_services_proxies_win_over_the_projects(compose):
    project = compose("""
x-midair: {trusted_proxies: 10.0.0.5}
services:
  web: {image: x}
  api: {image: x, x-midair: {trusted_proxies: [192.168.0.0/16, "2001:db8::1"]}}
  own: {image: x, x-midair: {trusted_proxies: []}}
""")
    proxies = {name: service.trusted_proxies for name, service in project.services.items()}
    assert proxies == {"web": ("10.0.0.5",), "api": ("192.168.0.0/16", "2001:db8::1"), "own": ()}
    assert project.services["web"].extension == {"trusted_proxies": ["10.0.0.5"]}


def test_update_and_rollback_are_read(service):
    web = service("""
image: x
deploy:
  replicas: 4
  update_config:
    {parallelism: 0, delay: 1s, order: stop-first, monitor: 0s, failure_action: pause, max_failure_ratio: 0.5}
  rollback_config: {parallelism: 2, failure_action: continue}
""")
    assert web.replicas == 4
    assert web.update == Update(0, 1.0, "stop-first", 5.0, "pause", 0.5)
    assert web.rollback == Update(parallelism=2, failure_action="continue")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("image: x", Restart("on-failure")),
        ('image: x\nports: ["80:80"]', Restart("any")),
        ("image: x\nrestart: always", Restart("any")),
        ("image: x\nrestart: unless-stopped", Restart("any")),
        ('image: x\nrestart: "no"\nports: ["80:80"]', Restart("none")),
        ("image: x\nrestart: on-failure:3", Restart("on-failure", max_attempts=3)),
        (
            "image: x\nrestart: always\ndeploy: {restart_policy: {condition: none, delay: 2s, window: 1m}}",
            Restart("none", 2.0, None, 60.0),
        ),
    ],
)
def test_restart_rules(service, fields, expected):
    assert service(fields).restart == expected


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ('"8000:8000"', [Port(8000, 8000)]),
        ('"127.0.0.1:1-2:3-4"', [Port(1, 3, "127.0.0.1"), Port(2, 4, "127.0.0.1")]),
        ('"5432:5432"', [Port(5432, 5432, protocol="tcp")]),
        ('"8000:5432"', [Port(8000, 5432, protocol="tcp")]),
        ('"53:53/udp"', [Port(53, 53, protocol="udp")]),
        ("{target: 5432, published: 1, app_protocol: http}", [Port(1, 5432)]),
        ("{target: 8000, published: 1, app_protocol: mysql}", [Port(1, 8000, protocol="tcp")]),
        ('"3000"', []),
        ('"0:3000"', []),
        ('"7000-7005:80"', [Port(7000, 80)]),
    ],
)
def test_published_ports_and_their_protocols(service, port, expected):
    assert list(service(f"image: x\nports: [{port}]").ports) == expected


def test_x_midair_protocol_goes_for_all_ports(service):
    web = service('image: x\nports: ["1:8000", "2:5432", "3:53/udp"]\nx-midair: {protocol: tcp}')
    assert [port.protocol for port in web.ports] == ["tcp", "tcp", "udp"]


def test_health_checks(service):
    check = service("image: x\nhealthcheck: {test: curl localhost, interval: 5s, retries: 1}").healthcheck
    assert check == HealthCheck(("CMD-SHELL", "curl localhost"), interval_s=5.0, retries=1)
    assert service("image: x\nhealthcheck: {test: [NONE]}").healthcheck is None
    assert service("image: x\nhealthcheck: {test: a, disable: true}").healthcheck is None
    assert service("image: x\nhealthcheck: {interval: 5s}").healthcheck is None


@pytest.mark.parametrize(
    ("volumes", "writable"),
    [
        ("[./a:/a]", True), ("[./a:/a:ro]", False), ("[/cache]", False), ("[data:/a]", True), ("[]", False),
        ("[{type: tmpfs, target: /a}]", False), ("[{type: bind, source: ., target: /a, read_only: true}]", False),
    ],
)  # fmt: skip
def test_a_volume_that_may_be_written_to_is_noticed(compose, volumes, writable):
    project = compose(f"services: {{web: {{image: x, volumes: {volumes}}}}}\nvolumes: {{data: }}")
    assert project.services["web"].writable_volume is writable


def test_the_working_folder_of_a_plain_process_is_absolute(service):
    assert service("command: x").working_dir == "/srv/shop"
    assert service("command: x\nworking_dir: sub").working_dir == "/srv/shop/sub"
    assert service("command: x\nbuild: .\nworking_dir: sub").working_dir == "sub"
    assert service("image: x\nworking_dir: /app\nx-midair: {runtime: docker}").working_dir == "/app"


def test_the_runtime_of_the_project_goes_for_services_that_name_none(compose):
    project = compose("""
x-midair: {runtime: docker, flags: flags.json}
services: {a: {image: x}, b: {image: x, x-midair: {runtime: process}}}
""")
    assert [each.runtime for each in project.services.values()] == ["docker", "process"]
    assert project.extension == {"runtime": "docker", "flags": "flags.json"}


def test_hooks_dependencies_and_environment(compose):
    web = compose(
        """
services:
  web:
    image: x
    stop_signal: int
    stop_grace_period: 1m
    environment: [A=1, B, C]
    post_start: [{command: echo hi, environment: {X: 1}, user: u}]
    pre_stop: [{command: [a, b], working_dir: /w}]
    depends_on: {db: {condition: service_healthy, restart: true}}
    links: [cache]
  db: {image: x}
  cache: {image: x}
""",
        environment={"B": "shell"},
    ).services["web"]
    assert web.environment == {"A": "1", "B": "shell"}
    assert (web.stop_signal, web.stop_grace_s) == ("SIGINT", 60.0)
    assert web.post_start == (Hook(("echo", "hi"), {"X": "1"}, None, "u"),)
    assert web.pre_stop == (Hook(("a", "b"), {}, "/w"),)
    assert web.depends_on == {
        "db": Dependency("service_healthy", restart=True), "cache": Dependency(restart=True),
    }  # fmt: skip


def test_the_project_says_where_it_comes_from(compose):
    project = compose("services: {web: {image: x}}", "services: {web: {image: y}}", shell={"PATH": "/bin"})
    assert (project.name, project.folder) == ("shop", "/srv/shop")
    assert project.files == ("/srv/shop/compose.yaml", "/srv/shop/compose1.yaml")
    assert project.shell == {"PATH": "/bin"}
    assert project.services["web"].image == "y"


def test_unset_variables_are_warned_of_once(compose):
    project = compose("services: {web: {image: 'x:$TAG$TAG', command: 'serve $PORT'}}")
    assert project.warnings == (
        'variable "TAG" is not set: it is empty',
        'variable "PORT" is not set: it is empty; write $$PORT for what each replica is given',
    )


@pytest.mark.parametrize(
    ("given", "environment", "text", "expected"),
    [
        ("given", {"COMPOSE_PROJECT_NAME": "env"}, "name: file", "given"),
        (None, {"COMPOSE_PROJECT_NAME": "env"}, "name: file", "env"),
        (None, {}, "name: file", "file"),
        (None, {"N": "var"}, "name: $N", "var"),
        (None, {}, "x-a: b", "shop"),
    ],
)
def test_the_name_of_the_project(compose, given, environment, text, expected):
    project = compose(
        f"{text}\nservices: {{web: {{image: '${{COMPOSE_PROJECT_NAME}}'}}}}",
        project_name=given,
        environment=environment,
    )
    assert project.name == expected
    assert project.services["web"].image == expected


def test_what_only_an_image_can_run_goes_to_docker_unless_the_file_says_otherwise(service):
    assert service("image: x").runtime == "docker"
    assert service("{image: x, command: run}").runtime == "docker"
    assert service("build: .").runtime == "docker"
    assert service("{build: ., image: x, command: run}").runtime == "process"
    assert service("{image: x, x-midair: {runtime: process}}").runtime == "process"


def test_names_of_volumes_and_networks_that_the_file_chose_are_part_of_the_services_that_use_them(compose):
    text = """
services:
  db:
    image: a
    volumes: ["data:/data", "raw:/raw", "./here:/here"]
    networks: [back, front]
volumes: {data: {}, raw: {name: other}}
networks: {front: {}, back: {external: true, name: shared}}
"""
    fields = compose(text, project_name="shop").services["db"].fields
    assert [one.get("name") for one in fields["volumes"]] == [None, "other", None]
    assert fields["networks"] == {"back": {"name": "shared"}, "front": None}


@pytest.mark.parametrize("said", ["restart: on-failure:0", "deploy: {restart_policy: {max_attempts: 0}}"])
def test_no_attempts_at_most_means_any_number(service, said):
    assert service(f"image: a\n{said}").restart.max_attempts is None


def test_a_limit_of_nothing_is_a_limit(service):
    assert service("image: a\nulimits: {core: {soft: 0, hard: 0}, nproc: 0}").fields["ulimits"] == {
        "core": {"soft": 0, "hard": 0},
        "nproc": 0,
    }


def test_a_variable_without_a_value_in_a_later_file_is_taken_from_the_shell(compose):
    base = "services: {web: {image: a, environment: {DEBUG: '0', KEPT: 'yes'}}}"
    over = "services: {web: {environment: [DEBUG]}}"
    assert compose(base, over, environment={"DEBUG": "1"}).services["web"].environment == {"DEBUG": "1", "KEPT": "yes"}


def test_a_port_that_the_file_gives_no_number_is_told(compose):
    told = compose("services: {web: {image: a, ports: ['80', '127.0.0.1::81', '8082:82']}}").warnings
    assert [line for line in told if "not published" in line] == [
        "service web: port 80 is not published: the file names no port for it",
        "service web: port 81 is not published: the file names no port for it",
    ]
