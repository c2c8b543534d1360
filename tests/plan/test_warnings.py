import pytest
from msgspec.structs import replace

from midair.change import policy_of
from midair.model.ids import FOREIGN
from midair.model.plan import LiveService
from midair.model.project import Drain, Hold, Port, Restart, Strategy, StrategyStep, Update
from midair.plan import build, order_of


def warnings(project, service, before=None, live=None):
    return "\n".join(build(before, project(service), {}, live)[0].warnings)


def notes(project, service):
    return "\n".join(build(None, project(service), {})[0].notes)


def confirmations(project, service, before):
    return [(asked.kind, asked.service) for asked in build(before, project(service), {})[0].confirmations]


def test_a_service_without_a_snapshot_is_told_that_its_files_do_not_come_back(web, db, project):
    assert "undo cannot restore its files" in warnings(project, db)
    assert "undo cannot restore its files" not in warnings(project, web)


def test_missing_replicas_of_an_unchanged_service_are_told(web, project, applied):
    made, _ = build(applied(web), project(web), {}, {"web": LiveService(replicas=2, ready=1)})
    assert made.is_empty
    assert made.troubles == ("web: 1 of 3 replicas ready now; midair is restoring the rest",)
    assert build(applied(web), project(web), {}, {"web": LiveService(replicas=3, ready=3)})[0].troubles == ()
    once = replace(web, restart=Restart("on-failure"))
    assert build(applied(once), project(once), {}, {"web": LiveService()})[0].troubles == ()


def test_what_the_project_warns_of_comes_first(web, project):
    told = build(None, replace(project(web), warnings=("the attribute `version` is obsolete",)), {})[0].warnings
    assert told[0] == "the attribute `version` is obsolete"


def test_unsupported_fields_are_named_once_for_all_services(web, db, project):
    isolated = [replace(one, fields={"cap_add": ["SYS_TIME"], "networks": {"back": None}}) for one in (web, db)]
    told = [text for text in build(None, project(*isolated), {})[0].warnings if "without effect" in text]
    assert told == ["without effect on plain processes: web (cap_add, networks), db (cap_add, networks)"]


def test_what_compose_fills_in_by_itself_is_not_named(web, project):
    plain = replace(web, fields={"networks": {"default": None}, "privileged": False, "cap_add": [], "cgroup": None})
    assert "without effect" not in warnings(project, plain)


def test_a_drain_shorter_than_the_grace_period_is_told(web, project, applied):
    hasty = replace(web, drain=Drain(5), stop_grace_s=20)
    assert "meets the stop signal" in warnings(project, replace(hasty, user="app"), applied(hasty))
    assert "meets the stop signal" not in warnings(project, replace(web, user="app"), applied(web))


def test_long_lived_connections_are_told_by_how_they_end(web, project, applied):
    live = {"web": LiveService(replicas=3, ready=3, long_lived=True)}
    patient = replace(web, drain=Drain(long_lived="wait"))
    assert "closed politely" in warnings(project, replace(web, user="app"), applied(web), live)
    assert "waits for long-lived connections" in warnings(project, replace(patient, user="app"), applied(patient), live)


def test_long_lived_connections_nobody_has_are_no_warning(web, project, applied):
    patient = replace(web, drain=Drain(long_lived="wait"))
    live = {"web": LiveService(replicas=3, ready=3)}
    for service in (web, patient):
        assert "WebSockets" not in warnings(project, replace(service, user="app"), applied(service), live)


def test_a_live_change_disturbs_no_connection(web, project, applied):
    assert warnings(project, replace(web, replicas=5), applied(web)) == ""


def test_a_command_that_names_its_port_is_told_about_PORT(web, project):
    fixed = replace(web, command=("gunicorn", "-b", "0.0.0.0:8000", "app:app"))
    literal = replace(fixed, extension={"port": "literal"})
    assert "8000 in command becomes $PORT" in notes(project, fixed)
    assert "has to listen on $PORT" in warnings(project, literal)
    assert "has to listen on $PORT" not in warnings(project, web)


def test_a_udp_port_is_named(web, project):
    assert "web: port 53/udp is not published" in warnings(project, replace(web, ports=(Port(53, 53, protocol="udp"),)))


def test_closing_a_port_needs_a_yes(web, project, applied):
    more = replace(web, ports=(*web.ports, Port(9000, 9000)))
    assert confirmations(project, web, applied(more)) == [("port", "web")]
    assert confirmations(project, more, applied(web)) == []


def test_removing_a_service_needs_a_yes_only_when_it_publishes_ports(web, db, project, applied):
    assert confirmations(project, db, applied(web, db)) == [("port", "web")]
    assert confirmations(project, web, applied(web, db)) == []


def test_a_gap_needs_a_yes_only_when_requests_cannot_be_held_for_so_long(db, project, applied):
    served = replace(db, ports=(Port(80, 80),))
    slow = replace(served, stop_grace_s=45)
    patient = replace(slow, hold=Hold(60))
    assert confirmations(project, replace(served, user="db"), applied(served)) == []
    assert confirmations(project, replace(slow, user="db"), applied(slow)) == [("gap", "db")]
    assert confirmations(project, replace(patient, user="db"), applied(patient)) == []


def test_gap_lasts_for_the_drain_only_where_connections_are_waited_for(db, project, applied):
    served = replace(db, ports=(Port(5432, 5432, protocol="tcp"),))
    patient = replace(served, drain=Drain(long_lived="wait"))
    assert confirmations(project, replace(served, user="db"), applied(served)) == []
    assert confirmations(project, replace(patient, user="db"), applied(patient)) == [("gap", "db")]


@pytest.mark.parametrize("runtime", ["process", "docker"])
def test_replica_that_nothing_reaches_stops_first(web, project, applied, runtime):
    worker = replace(web, name="worker", runtime=runtime, replicas=1, ports=(), fields={})
    text = warnings(project, replace(worker, user="app"), applied(worker))
    assert "nothing can reach its only replica, and two would do its work twice, so the old one stops before" in text
    assert "`order: start-first` runs both" in text
    assert policy_of(worker).update.order == policy_of(worker).rollback.order == "stop-first"
    assert confirmations(project, replace(worker, user="app"), applied(worker)) == []


@pytest.mark.parametrize(
    "more",
    [
        {"replicas": 2},
        {"ports": (Port(80, 80),)},
        {"names": (Port(0, 80),)},
        {"listens": (80,)},
        {"fields": {"expose": ["80"]}},
        {"update": Update(order="start-first")},
    ],
)
def test_replica_that_others_reach_starts_first(web, project, applied, more):
    worker = replace(web, **{"name": "worker", "runtime": "docker", "replicas": 1, "ports": (), "fields": {}, **more})
    assert policy_of(worker).update.order == "start-first"
    assert "only replica" not in warnings(project, replace(worker, user="app"), applied(worker))


def test_ports_seen_at_replicas_decide_the_order(web, project, applied):
    worker = replace(web, name="worker", runtime="docker", replicas=1, ports=(), fields={})
    live = {"worker": LiveService(replicas=1, ready=1, listens=(9000,))}
    assert "only replica" not in warnings(project, replace(worker, user="app"), applied(worker), live)


def test_closing_at_once_is_announced_where_requests_are_held(db, project, applied):
    served = replace(db, ports=(Port(80, 80), Port(5432, 5432, protocol="tcp")))
    live = {"db": LiveService(replicas=1, ready=1, long_lived=True)}
    text = warnings(project, replace(served, user="db"), applied(served), live)
    assert "db: WebSockets and streams to the old replicas are closed politely at once" in text
    assert "db: TCP connections are closed once they are idle; clients connect again" in text


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"network_mode": "host"}, "the same port of the host's network"),
        ({"networks": {"back": {"ipv4_address": "10.0.0.9"}}}, "the same address"),
        ({"mac_address": "02:42:ac:11:65:43"}, "the same address"),
    ],
)
def test_two_containers_that_would_clash_are_exchanged_with_a_gap(web, project, applied, fields, reason):
    before = replace(web, runtime="docker", image="web", replicas=1, fields=fields)
    after = replace(before, user="app")
    made, _ = build(applied(before), project(after), {})
    assert made.steps[0].field_class == "recreate"
    assert f"two replicas cannot {'listen on' if 'port' in reason else 'have'} {reason}" in "\n".join(made.warnings)
    assert order_of(after) == "stop-first"
    assert order_of(replace(after, runtime="process")) == "start-first"


def test_moving_data_in_containers_needs_a_yes(db, project, applied):
    before = replace(db, runtime="docker", image="postgres", fields={"volumes": [{"target": "/data", "source": "a"}]})
    after = replace(before, fields={"volumes": [{"target": "/data", "source": "b"}]})
    assert confirmations(project, after, applied(before)) == [("data", "db")]


def refusals(project, *services):
    return "\n".join(build(None, project(*services), {})[0].refusals)


def test_plain_processes_run_no_image(db, project):
    assert 'cannot run an image ("redis:7")' in refusals(project, replace(db, image="redis:7", command=None))
    assert refusals(project, replace(db, image="redis:7", runtime="docker", command=None)) == ""


def test_a_build_without_a_command_is_refused_on_plain_processes(web, project):
    assert "reads no Dockerfile" in refusals(project, replace(web, command=None))


def test_two_services_cannot_publish_the_same_port(web, project):
    other = replace(web, name="api", fields={})
    assert refusals(project, web, other) == "api: port 8000 is published by web too"
    apart = [replace(web, ports=(Port(80, 80, "127.0.0.1"),)), replace(other, ports=(Port(80, 80, "127.0.0.2"),))]
    assert refusals(project, *apart) == ""


def test_a_provider_is_refused_by_name(web, project):
    assert "provider: midair runs services itself" in refusals(
        project, replace(web, fields={"provider": {"type": "x"}})
    )


def test_a_changed_definition_of_a_network_is_told(web, project):
    contained = replace(web, runtime="docker", image="web")
    first = replace(project(contained), fields={"networks": {"back": {"name": "shop_back"}}})
    later = replace(first, fields={"networks": {"back": {"name": "shop_back", "internal": True}, "new": {}}})
    _, state = build(None, first, {})
    told = [text for text in build(state, later, {})[0].warnings if "definition" in text]
    assert told == ["network back: its definition has changed; what is there stays as it is"]
    assert build(state, first, {})[0].warnings == ()


def test_a_port_on_two_addresses_is_two_fields(web, project, applied):
    two = [{"target": 8000, "published": "8000", "host_ip": host} for host in ("127.0.0.1", "127.0.0.2")]
    before = replace(web, fields={"ports": two})
    after = replace(web, fields={"ports": [two[0], {**two[1], "target": 9000}]})
    step = build(applied(before), project(after), {})[0].steps[0]
    assert [(change.path, change.kind) for change in step.changes] == [("ports.8000#2", "changed")]


def test_joining_a_network_replaces_a_container(web, project, applied):
    before = replace(web, runtime="docker", fields={"networks": {"default": None}})
    after = replace(before, fields={"networks": {"default": None, "back": None}})
    step = build(applied(before), project(after), {})[0].steps[0]
    assert [(change.path, change.field_class) for change in step.changes] == [("networks.back", "replace")]


def said_of(project, applied, before, *after):
    plan, _ = build(applied(before), project(*after), {})
    return [(one.kind, one.text) for one in plan.confirmations]


def test_a_port_that_another_service_gets_is_not_said_to_be_gone(web, project, applied):
    other = replace(web, name="app")
    assert said_of(project, applied, web, other) == []
    assert said_of(project, applied, web, replace(web, ports=()), other) == []


def test_an_address_or_protocol_that_is_answered_no_more_needs_a_yes(web, project, applied):
    gone = [("port", "no longer listens on port 8000")]
    assert said_of(project, applied, web, replace(web, ports=(Port(8000, 8000, "127.0.0.1"),))) == gone
    assert said_of(project, applied, web, replace(web, ports=(Port(8000, 8000, protocol="udp"),))) == gone
    narrow = replace(web, ports=(Port(8000, 8000, "127.0.0.1"),))
    assert said_of(project, applied, narrow, web) == []


def test_a_container_that_is_taken_for_http_is_told_once(web, project, applied):
    ports = [{"target": 7000, "published": "17000"}, {"target": 8000, "published": "80"}]
    other = replace(web, runtime="docker", image="db", fields={"ports": ports})
    told = "web: HTTP is expected on port 7000; if it is not: `x-midair: {protocol: tcp}`"
    assert told in build(None, project(other), {})[0].warnings
    later = replace(other, environment={"A": "b"})
    assert told not in build(applied(other), project(later), {})[0].warnings
    assert told not in build(None, project(replace(other, extension={"protocol": "http"})), {})[0].warnings


def test_what_compose_had_made_can_be_removed(web, project):
    state = build(None, project(replace(web, runtime="docker")), {})[1]
    found = {name: replace(one, id=FOREIGN) for name, one in state.revisions.items()}
    plan, _ = build(replace(state, revisions=found), project(), {})
    assert [step.kind for step in plan.steps] == ["remove"]


def test_volume_over_anonymous_data_needs_a_yes(db, project, applied):
    before = replace(db, runtime="docker", image="postgres", writable_volume=False)
    after = replace(before, fields={"volumes": [{"target": "/data", "source": "a"}]})
    live = {"db": LiveService(1, 1, own_volumes=("/data",))}
    assert confirmations(project, after, applied(before)) == []
    made, _ = build(applied(before), project(after), {}, live)
    assert [(one.kind, one.service) for one in made.confirmations] == [("data", "db")]


def test_seen_data_changes_no_digest_and_is_not_stored(db, project, applied):
    before = replace(db, runtime="docker", image="postgres", writable_volume=False)
    live = {"db": LiveService(1, 1, own_volumes=("/data",))}
    after = project(replace(before, user="other"))
    first, stored = build(applied(before), after, {}, live)
    assert first.digest == build(applied(before), after, {})[0].digest
    assert stored.project.services["db"].own_volumes == ()
    assert first.steps[0].field_class == "recreate"


def test_data_of_its_own_beside_another_is_named(db, project, applied):
    before = replace(db, runtime="docker", image="postgres", writable_volume=False, update=Update(order="start-first"))
    live = {"db": LiveService(1, 1, own_volumes=("/data",))}
    made, _ = build(applied(before), project(replace(before, user="other")), {}, live)
    assert "but a start-first rollout runs a second one beside it" in "\n".join(made.warnings)


def test_on_change_and_analysis_are_not_supported_yet(web, project):
    canary = Strategy(kind="canary", steps=(StrategyStep(weight=10), StrategyStep(analysis="fast")))
    later = replace(web, on_change={"a.toml": "SIGHUP"}, extension={"on_change": {"a.toml": "SIGHUP"}}, strategy=canary)
    told = warnings(project, later)
    assert "not supported yet: web (x-midair.on_change, x-midair.rollout.steps.analysis)" in told
    assert "without effect" not in told


def test_build_args_have_an_effect_with_a_build_command(web, project):
    fields = {"build": {"context": ".", "args": {"A": "1"}}}
    assert "build.args" in warnings(project, replace(web, fields=fields))
    assert "build.args" not in warnings(project, replace(web, fields=fields, extension={"build": {"command": "make"}}))


def test_first_plan_counts_fronts_and_their_memory(web, db, project, applied):
    two = [replace(service, runtime="docker", image="x") for service in (web, db)]
    first = build(None, project(*two), {})[0].notes
    assert "names lead to 2 fronts, small containers of about 10 MB of memory each" in first
    changed = replace(two[0], user="app")
    texts = [build(before, project(service), {})[0].notes
             for before, service in ((None, two[0]), (applied(two[0]), changed), (None, web))]  # fmt: skip
    assert ["front" in "".join(notes) for notes in texts] == [True, False, False]


def test_service_without_a_front_is_told_its_cost(web, project, applied):
    none = replace(web, runtime="docker", image="x", extension={"front": "none"})
    assert "calls by its name go past the router" in warnings(project, none)
    assert "names lead to" not in warnings(project, none)
    alone = replace(none, fields={"network_mode": "host"})
    assert "calls by its name" not in warnings(project, alone)


def test_front_that_is_opted_out_of_replaces_replicas(web, project, applied):
    docker = replace(web, runtime="docker", image="x")
    made, _ = build(applied(docker), project(replace(docker, extension={"front": "none"})), {})
    assert [(change.path, change.field_class) for change in made.steps[0].changes] == [("x-midair.front", "replace")]


@pytest.mark.parametrize("where", ["aliases", "container_name"])
def test_name_that_dns_cannot_carry_is_refused(web, project, applied, where):
    long = "n" * 64
    fields = {"container_name": long} if where == "container_name" else {"networks": {"default": {"aliases": [long]}}}
    docker = replace(web, runtime="docker", image="x", fields=fields)
    [reason] = build(None, project(docker), {})[0].refusals
    assert reason == f'web: name "{long}" has 64 characters, and DNS allows 63'
    assert build(applied(docker), project(docker), {})[0].refusals == (), "it runs as it did before"
    dotted = replace(docker, fields={"networks": {"default": {"aliases": [f"{long[1:]}.{long[1:]}"]}}})
    assert build(None, project(dotted), {})[0].refusals == ()
