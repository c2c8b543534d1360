"""`midair exec` and `midair run` with services in containers, as people use them."""

import contextlib
import subprocess

import pytest
from tests.docker import engine as engines
from tests.docker.shop import compose
from tests.docker.waiting import eventually
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

LABEL = "label=io.midair.session"
CALL = "import urllib.request as r; print(r.urlopen('http://web:8000/', timeout=5).status)"
SLEEP = "import time; print('begun', flush=True); time.sleep(300)"


def web(port):
    return {
        "image": engines.IMAGE,
        "command": "python3 -m http.server 8000 --directory /etc",
        "ports": [f"{port}:8000"],
        "environment": {"COLOUR": "red"},
        "deploy": {"update_config": {"monitor": "100ms"}},
    }


def script(place, *arguments, data=""):
    return subprocess.run(
        ["midair", *arguments], env=place.environment, cwd=place.folder, input=data, capture_output=True, timeout=60,
        check=False, text=True,
    )  # fmt: skip


@contextlib.contextmanager
def begun(place, *arguments):
    """A command that has printed its first line."""
    with subprocess.Popen(
        ["midair", *arguments], env=place.environment, cwd=place.folder, stdin=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        try:
            assert child.stdout.readline() == "begun\n"
            yield child
        finally:
            child.kill()


def test_commands_in_containers_stand_in_history_without_arguments(place, engine):
    place.write(compose({"web": web(free_port())}))
    place.midair("up", expect=0, timeout=200)
    done = script(
        place, "exec", "-T", "-e", "TOKEN=hush", "web", "sh", "-c", "read x; echo $x $COLOUR; exit 3", data="a\n"
    )
    assert (done.stdout, done.stderr, done.returncode) == ("a red\n", "", 3)
    done = script(place, "run", "-T", "web", "python3", "-c", CALL)
    assert (done.stdout, done.returncode) == ("200\n", 0), done.stderr
    assert engine.docker("ps", "-aq", "--filter", LABEL) == ""
    events = script(place, "events").stdout
    assert "exec" in events
    assert "run" in events
    assert "hush" not in events
    assert "urllib" not in events


def test_container_of_run_ends_with_daemon_and_project(place, engine):
    place.write(compose({"web": web(free_port())}))
    place.midair("up", expect=0, timeout=200)
    words = ("run", "-T", "web", "python3", "-c", SLEEP)
    with begun(place, *words) as child:
        place.midair("daemon", "restart", expect=0)
        assert "the daemon was restarted" in child.communicate(timeout=10)[1]
        assert engine.docker("ps", "-aq", "--filter", LABEL) == ""
    with begun(place, *words):
        assert len(place.replicas("web")) == 1
        place.midair("scale", "web=2", expect=0)
    eventually(lambda: engine.docker("ps", "-aq", "--filter", LABEL) == "")
    with begun(place, *words) as child:
        place.midair("down", "--forget", expect=0)
        child.communicate(timeout=20)
        assert child.returncode == 137
        assert engine.docker("ps", "-aq", "--filter", LABEL) == ""
