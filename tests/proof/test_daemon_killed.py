"""The control plane is killed at every step that a change takes. The change goes on or goes back; nobody notices.

Steps are found by counting commits and actions (`MIDAIR_DIE_AT`), not by luck.
"""

import os
import signal

import pytest
from tests.e2e.place import free_port
from tests.proof.ground import USERS, asked, kill, wait

from midair.errors import DaemonTrouble

pytestmark = pytest.mark.e2e
MOST = 80  # steps of one kind in one change; there are far fewer
# A life of the daemon that is as short as can be while something is done in it: one commit, or one action.
LIVES = {
    "before-commit": "before-commit:2",
    "commit": "commit:1",
    "before-action": "before-action:2",
    "action": "action:1",
}

# A broken replica is ready and gets requests before it dies; only those that may be repeated survive that.
CAREFUL = {**USERS, "post": 0}


def has_ended(ground, change):
    """Whether this change is on record as ended."""
    stored = ground.stored()
    return stored["id"] == change and stored["ended_at"] is not None


def live_and_die(ground, change, step):
    """Start daemons that die at this step until one has nothing left to do. Returns how many died."""
    for deaths in range(MOST):
        child = ground.daemon_that_dies(step)
        wait(
            lambda: child.poll() is not None or (has_ended(ground, change) and asked(ground.is_whole)),  # noqa: B023
            "a death, or the end",
        )
        if child.poll() is None and ground.end_daemon(child):
            return deaths
        assert child.returncode == -signal.SIGKILL
    raise AssertionError("it gets nowhere")


@pytest.mark.parametrize("kind", LIVES)
def test_daemons_that_live_for_one_step_each_carry_a_change_through(ground, kind):
    assert ground.up("red", together=1).phase == "completed"
    before = ground.service("web").revision
    with ground.load(ground.port, **USERS):
        change = ground.change(ground.project("blue", together=1))
        os.kill(ground.client.health().pid, signal.SIGKILL)
        deaths = live_and_die(ground, change, LIVES[kind])
        ground.client.ensure_daemon()
        assert ground.ended(change).phase == "completed"
        ground.becomes_whole()
    assert ground.service("web").revision != before
    assert deaths >= 8, f"only {deaths} steps were found"
    ground.nothing_was_lost()


@pytest.mark.parametrize("kind", LIVES)
def test_daemons_that_live_for_one_step_each_carry_a_failed_change_back(ground, kind):
    assert ground.up("red").phase == "completed"
    before = ground.service("web").revision
    with ground.load(ground.port, **CAREFUL):
        change = ground.change(ground.project("red", environment={"BROKEN": "yes"}, monitor="2s"))
        os.kill(ground.client.health().pid, signal.SIGKILL)
        deaths = live_and_die(ground, change, LIVES[kind])
        ground.client.ensure_daemon()
        assert ground.ended(change).phase == "rolled_back"
        ground.becomes_whole()
    assert ground.service("web").revision == before
    assert deaths >= 1, "no step was found"
    ground.nothing_was_lost()


def test_an_up_that_is_being_followed_starts_another_daemon_and_sees_its_change_to_the_end(ground):
    ground.up("red")
    with ground.load(ground.port, **USERS):
        ground.project("blue", monitor="1s")
        command = ground.begin("up")
        wait(lambda: ground.stored()["id"] == 2, "the change on record")
        kill(ground.client.health().pid)
        out, err = command.communicate(timeout=60)
    assert command.returncode == 0, err
    assert out.splitlines()[-1].startswith("done")
    assert ", 0 lost" in out.splitlines()[-1]
    ground.becomes_whole()
    ground.nothing_was_lost()


def test_an_up_whose_daemon_dies_before_it_agreed_says_so_and_has_changed_nothing(ground):
    ground.up("red")
    before = ground.service("web").revision
    with ground.load(ground.port, **USERS):
        ground.client.daemon_stop()
        child = ground.daemon_that_dies("before-commit:1")
        ground.project("blue")
        done = ground.midair("up")
        assert child.wait(10) == -signal.SIGKILL
        if done.code:
            assert done.err.count("error: ") == 1, done
            ground.client.ensure_daemon()
            assert ground.stored()["id"] == 1
            assert ground.service("web").revision == before
            ground.midair("up", expect=0)
        ground.becomes_whole()
    assert ground.stored()["id"] == 2
    ground.nothing_was_lost()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["commit", "action"])
def test_two_services_that_change_together_come_back_together_whenever_the_daemon_dies(ground, kind):
    port = free_port()

    def both(colour, **broken):
        api = ground.service_of(colour, monitor="2s") | {"ports": [f"127.0.0.1:{port}:8000"], "depends_on": ["web"]}
        api["environment"] = {"COLOUR": colour, **broken}
        return ground.project(colour, others={"api": api})

    ground.client.ensure_daemon()
    assert ground.ended(ground.change(both("red"))).phase == "completed"
    before = {name: ground.service(name).revision for name in ("web", "api")}
    with ground.load(ground.port, **USERS), ground.load(port, **CAREFUL):
        change = ground.change(both("blue", BROKEN="yes"))
        kill(ground.client.health().pid)
        assert live_and_die(ground, change, LIVES[kind]) >= 4
        ground.client.ensure_daemon()
        assert ground.ended(change).phase == "rolled_back"
        ground.becomes_whole()
        wait(lambda: ground.service("api").serving == 2, "the second service")
    assert {name: ground.service(name).revision for name in ("web", "api")} == before
    ground.nothing_was_lost()


@pytest.mark.slow
@pytest.mark.parametrize("kind", LIVES)
@pytest.mark.timeout(300)
def test_the_daemon_may_die_at_the_nth_step_for_every_n(ground, kind):
    assert ground.up("start").phase == "completed"
    died = 0
    with ground.load(ground.port, **USERS):
        for number in range(1, MOST):
            ground.client.daemon_stop()
            child = ground.daemon_that_dies(f"{kind}:{number}")
            begin(ground, f"{kind}-{number}")
            wait(lambda: child.poll() is not None or has_ended(ground, number + 1), "a death, or the end")  # noqa: B023
            if child.poll() is None and ground.end_daemon(child):
                break  # the change has no so many steps
            assert child.returncode == -signal.SIGKILL
            died += 1
            ground.client.ensure_daemon()
            if ground.stored()["id"] != number + 1:  # it died before the change was stored, and the caller was told
                begin(ground, f"{kind}-{number}")
            assert ground.ended(number + 1).phase == "completed"
            ground.becomes_whole()
    ground.client.ensure_daemon()
    ground.becomes_whole()
    ground.nothing_was_lost()
    assert died >= 8, f"only {died} steps were found"


def begin(ground, colour):
    """Ask for a change. Whether the daemon lives to answer is another matter."""
    project = ground.project(colour)
    try:
        ground.change(project)
    except DaemonTrouble:
        pass
