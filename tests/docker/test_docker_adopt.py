"""A project that Docker Compose started is taken over by midair, changed, and still seen by Docker Compose."""

import json
import subprocess
import time

import pytest
import yaml
from tests.docker import composev2
from tests.docker.shop import SERVE, add_app
from tests.docker.waiting import eventually
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

IMAGE = "midair-test/adopted"


@pytest.fixture
def compose(place, engine):
    """Docker Compose in the folder of the project."""
    program = composev2.command()

    def run(*words):
        words = [program, *words]
        environment = {**place.environment, "DOCKER_HOST": engine.host}
        done = subprocess.run(words, cwd=place.folder, env=environment, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def write(place, port, **more):
    """An ordinary Compose file: it says nothing about midair."""
    web = {"image": IMAGE, "command": SERVE, "ports": [f"127.0.0.1:{port}:8000"], "pull_policy": "never", **more}
    web |= {"stop_grace_period": "3s", "deploy": {"update_config": {"monitor": "500ms"}}}
    place.write(yaml.safe_dump({"name": "shop", "services": {"web": web}}))


def gap(report):
    """Seconds from the first failure to the end of the last one."""
    ends = [failure["at_s"] for failure in report["failures"]]
    return max(ends) - min(ends) if ends else 0.0


def test_a_project_of_docker_compose_is_taken_over_once_and_then_loses_nothing(place, engine, compose):
    port = free_port()
    add_app(place)
    engine.docker("build", "-q", "-t", IMAGE, str(place.folder / "web"))
    write(place, port)
    compose("up", "-d", "--wait")
    [first] = compose("ps", "-q").split()
    with place.load(port, get=2, new=1) as load:
        write(place, port, environment={"COLOUR": "green"})
        assert "changes hands once" in place.midair("plan", expect=0).out
        place.midair("up", expect=0)
    assert gap(load.report) < 2.0, load.report["failures"]
    assert first not in compose("ps", "-q")
    place.loads.clear()
    before = place.client.counts("shop").total
    with place.load(port, get=2, idle=1, new=1, post=1) as load:
        write(place, port, environment={"COLOUR": "blue"})
        place.midair("up", expect=0)
        place.midair("scale", "web=2", expect=0)
    assert load.report["failed"] == 0
    counted = place.client.counts("shop").total.minus(before)
    assert (counted.accepted, counted.lost) == (load.report["requests"], 0)
    seen = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]
    assert [(one["Service"], one["State"]) for one in seen] == [("web", "running")] * 2
    assert "Uvicorn running" in compose("logs", "--no-color")
    assert compose("exec", "-T", "web", "python3", "-c", "print('inside')").strip() == "inside"
    place.midair("undo", "1", expect=0)  # back to what Docker Compose had made
    assert place.service("web").serving == 1
    place.midair("down", expect=0)
    eventually(lambda: compose("ps", "-aq") == "")  # what was replaced is tidied up after the change


def test_a_failed_first_change_goes_back_to_what_docker_compose_had_made(place, engine, compose):
    port = free_port()
    add_app(place)
    engine.docker("build", "-q", "-t", IMAGE, str(place.folder / "web"))
    write(place, port)
    compose("up", "-d", "--wait")
    write(place, port, environment={"BROKEN": "exits"})
    with place.load(port, get=2, new=1) as load:
        place.midair("up", expect=3)
        time.sleep(0.5)
    assert gap(load.report) < 2.0, load.report["failures"]
    assert place.service("web").serving == 1
    assert list(load.report["versions"]) == ["v1"]
    place.midair("down", expect=0)
    eventually(lambda: compose("ps", "-aq") == "")  # what was replaced is tidied up after the change
