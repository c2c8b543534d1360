"""The control plane is killed at every step of a rollout. The change goes on, and nobody outside notices."""

import signal
import subprocess
import sys

import pytest
from tests.e2e.place import Place, free_port
from tests.e2e.shop import compose, service

from midair.client import Client

KINDS = ("before-commit", "commit", "before-action", "action")


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    try:
        yield made
    finally:
        left = made.close()
        print(made.artifacts())
    assert left == [], "processes were left behind"


def daemon_that_dies(place, step):
    """Start a daemon that kills itself at that step."""
    environment = {**place.environment, "MIDAIR_DIE_AT": step}
    command = [sys.executable, "-m", "midair.daemon", "--home", str(place.home)]
    child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    client = Client(place.home)
    while True:
        try:
            client.health()
            return child
        except Exception:
            if child.poll() is not None:
                return child


def change(place, port, colour, drain="3s"):
    """An `up` that exchanges every replica, and is seen to its end by whatever daemon is there."""
    place.write(compose(web=service("web", port, monitor="100ms", drain=drain, environment={"COLOUR": colour})))
    return place.midair("up", timeout=60)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_daemon_may_be_killed_at_every_commit_and_action(place):
    port = free_port()
    place.app("asgi", "web")
    assert change(place, port, "c0").code == 0
    died = []
    with place.load(port, get=2, new=1, post=1):
        for kind in KINDS:
            for number in range(1, 40):
                place.client.ensure_daemon()
                place.client.daemon_stop()
                step = f"{kind}:{number}"
                child = daemon_that_dies(place, step)
                done = change(place, port, f"{kind}{number}")
                if child.poll() is None:
                    place.client.daemon_stop()
                    child.wait(10)
                    assert done.code == 0, done
                    break  # the rollout has no so many steps
                assert child.returncode == -signal.SIGKILL
                died.append(step)
                # Killed before the change was stored: the caller is told, and asks again.
                if done.code != 0:
                    assert "daemon" in done.err, done
                    place.client.ensure_daemon()
                    assert change(place, port, f"{kind}{number}").code == 0
                ended = place.client.history("shop")[0]
                assert ended.phase == "completed", (step, ended)
                assert place.service("web").serving == 3, step
                assert len(place.replicas("web")) == 3, step
    assert len(died) > 20, died
    place.nothing_was_lost()
