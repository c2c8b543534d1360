"""Services in containers are changed in every way while users keep using them, and nothing fails."""

import subprocess
import time

import pytest
from tests.docker.shop import CALLER, DOCKERFILE, add_app, compose, service
from tests.docker.waiting import REPLICAS, body_of
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

USERS = {"get": 2, "idle": 1, "new": 1, "post": 1, "slow": 1, "stream": 1, "ws": 2}


def ids_of(engine):
    """Containers of the project that run, by id."""
    return set(engine.docker("ps", "-q", "--filter", REPLICAS).split())


def test_three_replicas_take_new_code_environment_and_count(place, engine):
    port = free_port()
    add_app(place)
    place.write(compose({"web": service(port)}))
    place.midair("up", expect=0, timeout=200)
    with place.load(port, **USERS) as load:
        place.edit("web/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0)
        place.write(compose({"web": service(port, environment={"COLOUR": "green"}, together=1)}))
        place.midair("up", expect=0)
        place.midair("scale", "web=5", expect=0)
        place.midair("scale", "web=2", expect=0)
        place.midair("undo", expect=0)
        place.midair("undo", "2", expect=0)  # to before the new code
    place.nothing_was_lost()
    assert {"v1", "v2"} <= set(load.report["versions"])
    assert set(load.report["closes"]) <= {"1000", "1012"}


def test_a_port_may_be_published_on_addresses_of_both_kinds(place, engine):
    port = free_port()
    add_app(place)
    web = service(port, replicas=1)
    place.write(compose({"web": {**web, "ports": [f"[::1]:{port}:8000", *web["ports"]]}}))
    told = place.midair("up", expect=0, timeout=200).out
    assert f"http://[::1]:{port}" in told
    assert body_of(port, "[::1]") == body_of(port) == "v1 \n"
    place.write(compose({"web": {**web, "ports": [f"[::1]:{port}:8000"]}}))
    place.midair("up", "--yes", expect=0)
    assert body_of(port, "[::1]") == "v1 \n"
    assert body_of(port) is None


def test_limits_change_in_place_and_the_kernel_agrees(place, engine):
    port = free_port()
    add_app(place)
    limits = {"limits": {"cpus": "0.5", "memory": "128M"}}
    place.write(compose({"web": with_limits(port, limits)}))
    place.midair("up", expect=0, timeout=200)
    before = ids_of(engine)
    with place.load(port, get=2, idle=1, new=1, post=1):
        for memory, cpus in (("256M", "0.75"), ("96M", "0.25")):
            limits = {"limits": {"cpus": cpus, "memory": memory}}
            place.write(compose({"web": with_limits(port, limits)}))
            assert "resize" in place.midair("plan", expect=0).out
            place.midair("up", expect=0)
            assert {kernel_memory(engine, one) for one in ids_of(engine)} == {int(memory[:-1]) * 2**20}
        place.midair("undo", expect=0)
        assert {kernel_memory(engine, one) for one in ids_of(engine)} == {256 * 2**20}
        place.write(compose({"web": service(port, replicas=2)}))
        place.midair("up", expect=0)  # taken away altogether
        assert all(kernel_memory(engine, one) > 2**60 for one in ids_of(engine))
    assert ids_of(engine) == before, "no container was replaced"
    place.nothing_was_lost()


def with_limits(port, resources):
    made = service(port, replicas=2)
    made["deploy"]["resources"] = resources
    return made


def kernel_memory(engine, container):
    """What the kernel holds as the memory limit, read inside the container."""
    for path in ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
        found = engine.docker("exec", container, "python3", "-c", f"print(open('{path}').read())", check=False)
        if found:
            return int(found)
    raise AssertionError("no limit found")


def test_requests_wait_while_the_only_writer_of_a_volume_is_replaced(place, engine):
    port = free_port()
    add_app(place)
    more = {"replicas": 1, "volumes": ["data:/data"], "drain": "2500ms"}
    place.write(compose({"web": service(port, **more)}, volumes={"data": None}))
    place.midair("up", expect=0, timeout=200)
    with place.load(port, get=2, idle=1, new=1, post=1) as load:
        place.edit("web/app.py", '"v1"', '"v2"')
        assert "stop-first" in place.midair("plan").out
        place.midair("up", "--yes", expect=0)
    place.nothing_was_lost()
    assert set(load.report["versions"]) == {"v1", "v2"}
    assert load.report["by_kind"]["get"]["slowest_s"] > 0.1  # they did wait


@pytest.mark.parametrize("broken", ["exits", "never ready", "dies"])
def test_a_broken_release_goes_back_by_itself(place, engine, broken):
    port = free_port()
    add_app(place)
    place.write(compose({"web": service(port, replicas=2, together=1, monitor="3s")}))
    place.midair("up", expect=0, timeout=200)
    bad = service(port, replicas=2, together=1, monitor="3s", environment={"BROKEN": broken})
    bad["x-midair"]["rollout"] = {"progress_deadline": "4s"}
    place.write(compose({"web": bad}))
    with place.load(port, get=2, idle=1, new=1, post=1):
        told = place.midair("up", expect=3).err
    place.nothing_was_lost()
    assert place.service("web").serving == 2
    if broken == "exits":
        assert "    cannot find the shop's database" in told, "its last words"


def test_two_services_come_back_together_when_the_second_fails(place, engine):
    ports = {"api": free_port(), "web": free_port()}
    for name in ports:
        add_app(place, name)
    place.write(compose({name: service(port, name=name, replicas=2) for name, port in ports.items()}))
    place.midair("up", expect=0, timeout=200)
    place.edit("api/app.py", '"v1"', '"v2"')
    web = service(ports["web"], replicas=2, environment={"BROKEN": "exits"})
    web["depends_on"] = {"api": {"condition": "service_healthy"}}
    place.write(compose({"api": service(ports["api"], name="api", replicas=2), "web": web}))
    with place.load(ports["api"], get=2, idle=1, post=1) as api, place.load(ports["web"], get=2, idle=1, post=1):
        place.midair("up", expect=3)
    place.nothing_was_lost()
    assert "v2" in api.report["versions"], "the first service had changed before both came back"


def test_a_control_plane_that_is_killed_goes_on_where_it_was(place, engine):
    port = free_port()
    add_app(place)
    place.write(compose({"web": service(port, together=1)}))
    place.midair("up", expect=0, timeout=200)
    with place.load(port, get=2, idle=1, new=1, post=1):
        place.edit("web/app.py", '"v1"', '"v2"')
        place.midair("up", "--detach", expect=0)
        for _ in range(3):
            subprocess.run(["kill", "-9", str(place.client.health().pid)], check=True)
            place.client.ensure_daemon()
        assert last_change(place, lambda change: change.ended_at is not None).phase == "completed"
    place.nothing_was_lost()


def last_change(place, wanted, patience=60):
    """The newest change, as soon as it is as wanted."""
    deadline = time.monotonic() + patience
    while not wanted(change := place.client.history("shop")[0]):
        assert time.monotonic() < deadline, change
        time.sleep(0.1)
    return change


def test_a_service_called_by_its_name_is_changed_unnoticed(place, engine):
    port = free_port()
    add_app(place, "api")
    (place.folder / "web").mkdir()
    place.write(CALLER, "web/app.py")
    place.write(DOCKERFILE, "web/Dockerfile")
    web = service(port, replicas=1)

    def file(colour):
        return compose({"web": web, "api": service(name="api", replicas=2, environment={"COLOUR": colour})})

    place.write(file("red"))
    place.midair("up", expect=0, timeout=200)
    with place.load(port, get=3, new=1) as load:
        for colour in ("green", "blue"):
            place.write(file(colour))
            place.midair("up", expect=0)
        place.edit("api/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0)
    assert load.report["failed"] == 0, load.report["failures"]
    assert set(load.report["versions"]) == {"v1", "v2"}
    counted = place.client.counts("shop").total
    assert counted.lost == 0
    assert counted.accepted >= load.report["requests"] * 2, "calls by name are counted too"
