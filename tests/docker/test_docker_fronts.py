"""A name leads to its service at every port, before, during and after a change: called from inside the project."""

import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager

import pytest
from tests.docker import composev2
from tests.docker import engine as engines
from tests.docker.shop import compose
from tests.docker.test_docker_stacks import APPS
from tests.docker.waiting import eventually

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

IMAGE = "midair-test/ports"
EVERY_WAY = ("http:8000", "http-kept:8000", "tcp:9100", "udp:8125", "udp-kept:8125")


@pytest.fixture(scope="module", autouse=True)
def ports_image(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ports")
    for name in ("ports.py", "caller.py"):
        (folder / name).write_bytes((APPS / name).read_bytes())
    (folder / "late.py").write_text(
        "import subprocess, time\n"
        "first = subprocess.Popen(['python3', '/ports.py', 'http:8000', 'tcp:9100'])\n"
        "time.sleep(1.5)\n"
        "subprocess.run(['python3', '/ports.py', 'http:9300'])\n"
    )
    (folder / "Dockerfile").write_text(f"FROM {engines.IMAGE}\nCOPY ports.py caller.py late.py /\n")
    engine.docker("build", "-q", "-t", IMAGE, str(folder))


def api(word="one", *, ports=("tcp:9100", "udp:8125", "http:8000"), **more):
    """A service that answers with a word on these ports; only the first is named."""
    return {
        "image": IMAGE,
        "pull_policy": "never",
        "command": ["python3", "/ports.py", *ports],
        "environment": {"WORD": word},
        "expose": ["8000"],
        "stop_grace_period": "2s",
        "deploy": {"update_config": {"monitor": "300ms"}},
        "x-midair": {"ready": {"tcp": True, "interval": "50ms"}, "drain": {"timeout": "3s"}},
        **more,
    }


@contextmanager
def calls(engine, name, *kinds, network="shop_default", within=None):
    """Calls by name from a container in the network, for as long as the block lasts. Yields what becomes the report."""
    container = f"caller-{name}-{network}"
    engine.docker("run", "-d", "--init", "--name", container, "--network", network, IMAGE,
                  "python3", "/caller.py", name, *kinds)  # fmt: skip
    report = {}
    try:
        time.sleep(0.5)
        yield report
        time.sleep(0.5)
        engine.docker("kill", "--signal", "TERM", container)
        engine.docker("wait", container)
        report.update(json.loads(engine.docker("logs", container).splitlines()[-1]))
    finally:
        engine.docker("rm", "-f", container)


def failures(report):
    return {kind: found["failures"] for kind, found in report.items() if found["failures"]}


def test_calls_by_name_survive_a_change_at_every_port(place, engine):
    place.write(compose({"api": api()}))
    place.midair("up", expect=0, timeout=200)
    with calls(engine, "api", *EVERY_WAY) as report:
        place.write(compose({"api": api("two")}))
        place.midair("up", expect=0)
    assert failures(report) == {}
    assert all(found["words"] == ["one", "two"] for found in report.values()), report
    assert place.client.counts("shop").total.lost == 0


def test_ports_that_nobody_named_are_counted_once_known(place, engine):
    place.write(compose({"api": api(command=["python3", "/late.py"])}))
    place.midair("up", expect=0, timeout=200)
    for port in ("tcp:9100", "http:9300"):
        before = place.client.counts("shop").total.accepted
        with calls(engine, "api", port) as report:
            eventually(lambda before=before: place.client.counts("shop").total.accepted > before + 10)
        assert failures(report) == {}
    assert place.client.counts("shop").total.lost == 0


def ask(engine, host, *kinds, network="shop_default"):
    """What one call of each kind gets from a container in the network: a word, or "" for no answer."""
    script = (
        "import asyncio, sys; sys.argv = ['', 'x']; sys.path.insert(0, '/')\n"
        "exec(open('/caller.py').read().rpartition('asyncio.run')[0])\n"
        "async def once(kind):\n"
        "    try:\n"
        "        async with asyncio.timeout(2):\n"
        "            return await (kind.udp() if kind.kind == 'udp' else kind.stream_call())\n"
        "    except Exception: return ''\n"
        f"async def all(): print(json.dumps([await once(Kind({host!r}, *k.split(':'))) for k in {kinds!r}]))\n"
        "asyncio.run(all())"
    )
    return json.loads(engine.docker("run", "--rm", "--network", network, IMAGE, "python3", "-c", script))


def front(engine, service="api"):
    """The front of a service, inspected."""
    return json.loads(engine.docker("inspect", f"shop-{service}-front"))[0]


def runs(engine, service="api"):
    found = engine.docker("ps", "-q", "--filter", f"name=shop-{service}-front", "--filter", "status=running")
    return bool(found)


def test_front_comes_back_whatever_becomes_of_it(place, engine):
    place.write(compose({"api": api()}))
    place.midair("up", expect=0, timeout=200)
    address = front(engine)["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    with calls(engine, "api", "tcp:9100", "tcp-kept:9100", "udp-kept:8125", "http:8000") as report:
        os.kill(place.status().router.pid, signal.SIGKILL)
        time.sleep(1)
    lost = {kind: len(found) for kind, found in failures(report).items()}
    assert set(lost) <= {"tcp:9100", "tcp-kept:9100", "http:8000"}, "UDP goes by the kernel"
    assert all(count == 1 for count in lost.values()), "the connection that was inside the router"
    for command in (("kill",), ("pause",), ("rm", "-f")):
        engine.docker(*command, "shop-api-front")
        eventually(lambda: runs(engine) and ask(engine, "api", "http:8000", "tcp:9100", "udp:8125") == ["one"] * 3)
        assert front(engine)["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"] == address


def test_name_leads_nowhere_that_compose_would_not(place, engine):
    place.write(compose({"api": api(ports=("tcp:9100", "tcp:127.0.0.1@9200", "udp:8125", "http:8000"))}))
    place.midair("up", expect=0, timeout=200)
    assert ask(engine, "api", "http:8000", "tcp:9100", "udp:8125", "tcp:9200") == ["one", "one", "one", ""]
    address = front(engine)["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    engine.docker("network", "create", "stranger")
    try:
        assert ask(engine, address, "http:8000", "tcp:9100", "udp:8125", network="stranger") == [""] * 3
    finally:
        engine.docker("network", "rm", "stranger")
    settings = front(engine)["HostConfig"]
    assert settings["CapDrop"] == ["ALL"]
    assert sorted(name.removeprefix("CAP_") for name in settings["CapAdd"]) == ["NET_ADMIN", "NET_BIND_SERVICE"]
    assert settings["PortBindings"] in ({}, None)
    assert settings["NetworkMode"] == "shop_default"


def test_every_name_leads_to_the_service_on_every_network(place, engine):
    engine.docker("network", "create", "proxied")
    networks = {"default": {"aliases": ["backend"]}, "proxied": {"aliases": ["shop-api-outside"]}}
    shared = {"networks": {"proxied": {"external": True, "name": "proxied"}}}
    try:
        place.write(compose({"api": api(networks=networks)}, **shared))
        place.midair("up", expect=0, timeout=200)
        with (
            calls(engine, "backend", "http:8000", "tcp:9100", "udp:8125") as inside,
            calls(engine, "shop-api-outside", "http:8000", "tcp:9100", "udp:8125", network="proxied") as outside,
        ):
            place.write(compose({"api": api("two", networks=networks)}, **shared))
            place.midair("up", expect=0)
        for report in (inside, outside):
            assert failures(report) == {}
            assert all(found["words"] == ["one", "two"] for found in report.values()), report
        place.midair("down", expect=0)
    finally:
        engine.docker("network", "rm", "proxied", check=False)


def run_python(engine, container, code):
    return engine.docker("exec", container, "python3", "-c", code).strip()


def test_container_name_and_links_lead_through_a_change(place, engine):
    word = "import os; print(os.environ['WORD'])"
    services = {"api": api(container_name="shop-api", hostname="data"), "web": api(links=["api:backend"])}
    place.write(compose(services))
    place.midair("up", expect=0, timeout=200)
    assert run_python(engine, "shop-api", word) == "one"
    with calls(engine, "shop-api", "http:8000", "tcp:9100", "udp:8125") as report:
        place.write(compose(services | {"api": api("two", container_name="shop-api", hostname="data")}))
        assert 'name "shop-api" moves' in place.midair("plan", expect=0).out
        place.midair("up", expect=0)
    assert failures(report) == {}
    assert run_python(engine, "shop-api", word) == "two"
    [web] = engine.docker("ps", "-q", "--filter", "label=com.docker.compose.service=web",
                          "--filter", "label=com.docker.compose.oneoff=False").split()  # fmt: skip
    address = front(engine)["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    for name in ("api", "backend", "shop-api", "data"):
        found = run_python(engine, web, f"import socket; print(*socket.gethostbyname_ex({name!r})[2])")
        assert found == address, name


def test_adopted_name_leads_to_no_front_without_rules(place, engine):
    program = composev2.command()
    services = {"api": api()}
    place.write(compose(services))
    environment = {**place.environment, "DOCKER_HOST": engine.host}
    subprocess.run(
        [program, "up", "-d"], cwd=place.folder, env=environment, check=True, capture_output=True, timeout=90
    )
    with calls(engine, "api", "http:8000", "tcp:9100") as report:
        place.write(compose({"api": api("two")}))
        place.midair("up", expect=0, timeout=200)
        address = front(engine)["NetworkSettings"]["Networks"]["shop_default"]["IPAddress"]
    assert [text for texts in failures(report).values() for text in texts if address in text] == []
    assert all(found["words"][-1] == "two" for found in report.values()), report
