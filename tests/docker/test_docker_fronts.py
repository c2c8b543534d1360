"""A name leads to its service at every port, before, during and after a change: called from inside the project."""

import json
import time
from contextlib import contextmanager

import pytest
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
