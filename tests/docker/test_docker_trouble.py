"""The engine, the disk or other people's containers are in the way: what serves goes on, and comes back by itself."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from tests.docker import engine as engines
from tests.docker.shop import SERVE, add_app, compose, service
from tests.docker.waiting import REPLICAS, body_of, eventually, networks_of
from tests.e2e.place import Place, free_port

from midair.engine.keeper import LOOK_S

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_containers_come_back_without_midair_and_after_the_engine_was_restarted(place, engine):
    port = free_port()
    add_app(place)
    place.write(compose({"web": service(port, replicas=2, together=1)}))
    place.midair("up", expect=0, timeout=200)
    daemon = place.client.health().pid
    os.kill(daemon, signal.SIGKILL)
    for container in engine.docker("ps", "-q", "--filter", REPLICAS).split():
        engine.docker("exec", container, "python3", "-c", "import os; os.kill(1, 15)")  # nobody but the engine sees it
    running = ("ps", "-q", "--filter", REPLICAS)
    eventually(lambda: len(engine.docker(*running).split()) == 2)
    place.client.ensure_daemon()
    eventually(lambda: place.service("web").serving == 2 and body_of(port))
    place.edit("web/app.py", '"v1"', '"v2"')
    place.midair("up", "--detach", expect=0)
    engine.end()  # in the middle of the change
    engine.restart()
    eventually(lambda: place.client.history("shop")[0].ended_at is not None, 100)
    eventually(lambda: place.service("web").serving == 2 and body_of(port))
    engine.end()
    for pid in place._processes():
        os.kill(pid, signal.SIGKILL)
    assert not body_of(port)
    engine.restart()
    place.midair("up", expect=0)
    eventually(lambda: place.service("web").serving == 2 and body_of(port))


def test_users_do_not_notice_an_engine_that_is_killed_while_its_containers_run(place, engine):
    port = free_port()
    add_app(place)
    engine.end()
    engine.restart("--live-restore")
    place.write(compose({"web": service(port, replicas=2)}))
    place.midair("up", expect=0, timeout=200)
    before = containers_of(engine)
    with place.load(port, get=2, new=1, post=1, ws=1):
        engine.kill()
        eventually(lambda: place.status().problem)
        time.sleep(LOOK_S + 1)  # whatever is decided meanwhile is decided blindly
        engine.restart("--live-restore")
        eventually(lambda: not place.status().problem and place.service("web").serving == 2)
        assert containers_of(engine) == before
        place.edit("web/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0, timeout=200)
    place.nothing_was_lost()
    engine.kill()
    eventually(lambda: place.status().problem)
    assert body_of(port)
    engine.restart()  # this one ends what it finds, and starts it again
    eventually(lambda: not place.status().problem and place.service("web").serving == 2 and body_of(port))
    assert len(containers_of(engine)) == 2, "there is none too many"


def containers_of(engine):
    """All containers of the project, whether they run or not."""
    return set(engine.docker("ps", "-aq", "--filter", REPLICAS).split())


def test_a_first_change_that_fails_leaves_nothing_behind(place, engine):
    add_app(place)
    web = service(free_port(), replicas=1, environment={"BROKEN": "exits"})
    place.write(compose({"web": {**web, "networks": ["default", "far"]}}, networks={"far": {"external": True}}))
    assert "external" in place.midair("up", expect=1).err
    assert networks_of(engine) == []
    place.write(compose({"web": web}))
    place.midair("up", expect=3, timeout=200)
    eventually(lambda: networks_of(engine) == [], 10)


def test_names_of_foreign_containers_are_left_to_them(place, engine):
    port = free_port()
    add_app(place)
    foreign = [engine.docker("run", "-d", "--name", name, engines.IMAGE, "sleep", "600", check=False)
               for name in ("shop-web-1", "mine")]  # fmt: skip
    try:
        place.write(compose({"web": service(port, replicas=1, container_name="mine")}))
        done = place.midair("up", expect=2)
        assert 'container name "mine"' in done.err
        place.write(compose({"web": service(port, replicas=2)}))
        place.midair("up", expect=0, timeout=200)
        assert body_of(port)
        place.midair("down", expect=0)
        names = engine.docker("ps", "-a", "--format", "{{.Names}}").split()
        assert {"mine", "shop-web-1"} <= set(names)
    finally:
        engine.docker("rm", "-f", *("shop-web-1", "mine"), check=False)
    assert foreign


@pytest.fixture
def small():
    """An engine of its own on a small disk, without networks."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = Path(tempfile.mkdtemp(prefix="midair-"))  # short: sockets lie in it
    (folder / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=260m", "tmpfs", folder / "data"], check=True)
    found = None
    try:
        found = engines.start_own(folder, "--bridge=none", "--iptables=false", "--storage-driver=vfs")
        engines.ensure_image(found, folder)
        yield found
    finally:
        if found is not None:
            found.stop()
        for mounted in ("data", "exec/netns/default"):
            subprocess.run(["umount", "-l", folder / mounted], check=False)
        shutil.rmtree(folder)


def test_on_the_hosts_network_the_old_one_stops_first_and_a_full_disk_stops_nothing(small, tmp_path, request):
    place = request.node.place = Place(tmp_path / "place")
    place.environment["DOCKER_HOST"] = small.host
    try:
        port, inside = free_port(), free_port()
        place.app("asgi", "web")
        web = {
            "image": engines.IMAGE, "network_mode": "host", "volumes": ["./web:/app:ro"], "working_dir": "/app",
            "command": SERVE.replace("8000", str(inside)), "ports": [f"127.0.0.1:{port}:{inside}"],
            "deploy": {"update_config": {"monitor": "500ms"}}, "x-midair": {"ready": {"http": "/healthz"}},
            "pull_policy": "never",
        }  # fmt: skip
        place.write(compose({"web": web}))
        place.midair("up", expect=0, timeout=200)
        with place.load(port, get=2, new=1) as load:
            place.write(compose({"web": {**web, "environment": {"COLOUR": "green"}}}))
            assert "requests are held" in place.midair("plan").out
            place.midair("up", "--yes", expect=0)
            (place.folder / "web/Dockerfile").write_text(f"FROM {engines.IMAGE}\nCOPY . /app\n")
            (place.folder / "web/big").write_bytes(os.urandom(300 * 2**20))
            full = {name: value for name, value in web.items() if name not in ("image", "pull_policy")}
            place.write(compose({"web": {**full, "build": "./web"}}))
            done = place.midair("up", "--yes", expect=1)
            assert "no space left" in done.err
        assert load.report["failed"] == 0, load.report["failures"]
    finally:
        left = place.close()
    assert left == []
