"""Where everything is killed: a place with an app that starts in no time, and the means to kill what runs there."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.e2e.place import Place, free_port
from tests.e2e.shop import compose

from midair.cli.load import load_project
from midair.errors import DaemonTrouble, MidairError

APP = Path(__file__).parent / "apps" / "quick"
USERS = {"get": 2, "new": 1, "post": 1, "idle": 1}


class Ground(Place):
    """One project with one service, `web`, that can be changed without a command line."""

    def __init__(self, folder):
        super().__init__(folder)
        self.port = free_port()
        shutil.copytree(APP, self.folder / "web", ignore=shutil.ignore_patterns("__pycache__"))

    def service_of(self, colour, *, replicas=2, together=0, monitor="200ms", drain="5s", **more):
        """The Compose service; another colour makes another revision."""
        return {
            "build": "./web",
            "command": f"{sys.executable} -I -S app.py",
            "environment": {"COLOUR": colour},
            "ports": [f"127.0.0.1:{self.port}:8000"],
            "deploy": {
                "replicas": replicas,
                "update_config": {"parallelism": together, "monitor": monitor},
                "restart_policy": {"window": "100ms"},  # one that is killed often is back at once each time
            },
            "x-midair": {"ready": {"http": "/healthz"}, "drain": {"timeout": drain}},
            **more,
        }

    def project(self, colour, *, others=None, **more):
        """The project as the command line would read it."""
        self.write(compose(web=self.service_of(colour, **more), **(others or {})))
        return load_project(cwd=self.folder, environ=self.environment)

    def change(self, project):
        """Begin an `up`. Returns the change's number."""
        plan = self.client.plan(project)
        return self.client.apply(project, plan.digest, confirmed=True, by="proof").id

    def up(self, colour, **more):
        """An `up` to its end, whatever becomes of it."""
        self.client.ensure_daemon()
        return self.ended(self.change(self.project(colour, **more)))

    def ended(self, change):
        """The change, once it has ended."""
        wait(lambda: self.client.change("shop", change).ended_at, f"the end of change {change}")
        return self.client.change("shop", change)

    def is_whole(self, replicas=2):
        """Exactly so many replicas are there, all of one revision, and all of them serve."""
        service = self.service("web")
        states = [replica.state for revision in service.revisions for replica in revision.replicas]
        return states == ["serving"] * replicas and len(service.revisions) == 1

    def becomes_whole(self, replicas=2):
        """Wait for that."""
        wait(lambda: asked(lambda: self.is_whole(replicas)), "every replica serving and nothing else")

    def stored(self):
        """The latest change as the database has it, without asking anybody."""
        with closing(sqlite3.connect(f"file:{self.home}/midair.db?mode=ro", uri=True, timeout=5)) as database:
            row = database.execute("SELECT state FROM changes ORDER BY id DESC LIMIT 1").fetchone()
        return json.loads(row[0]) if row else None

    # Processes

    def daemon_that_dies(self, step):
        """A daemon that kills itself at that step: the process, once it answers or has ended."""
        command = [sys.executable, "-m", "midair.daemon", "--home", str(self.home)]
        environment = {**os.environ, "MIDAIR_DIE_AT": step}
        child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        wait(lambda: child.poll() is not None or asked(self.client.health), "an answer of the daemon")
        return child

    def end_daemon(self, child):
        """End a daemon that did not die. False when it dies at this very moment: the last step was its own."""
        try:
            self.client.daemon_stop()
        except DaemonTrouble:
            assert child.wait(10) == -signal.SIGKILL
            return False
        child.wait(10)
        return True

    def pids(self):
        """Who runs: {"daemon": …, "router": …, "web/…/0": …}."""
        found = {"daemon": self.client.health().pid}
        status = self.status()
        if status.router is not None:
            found["router"] = status.router.pid
        return found | {replica.id: replica.pid for replica in self.replicas("web") if replica.pid}

    def router_processes(self):
        """Router processes of this place, however many there are."""
        return [pid for pid, about in self._processes().items() if "midair.router" in about]

    def all_processes(self):
        """Everything that runs here but the tests' own: {pid: command line}."""
        loads = {load.child.pid for load in self.loads}
        return {pid: about for pid, about in self._processes().items() if pid not in loads}


def kill(pid):
    """kill -9, and wait until it is gone or a zombie."""
    os.kill(pid, signal.SIGKILL)
    wait(lambda: not is_running(pid), f"the end of process {pid}")


def is_running(pid):
    """Whether it is a process that is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait(fact, what, timeout=30.0, pause=0.02):
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + timeout
    while not (found := fact()):
        assert time.monotonic() < deadline, f"waited {timeout:g} s in vain for {what}"
        time.sleep(pause)
    return found


def asked(question):
    """The answer of the daemon, None while it cannot be asked."""
    try:
        return question()
    except (DaemonTrouble, MidairError):
        return None


def exchange(port, request, timeout=10.0):
    """Send bytes, and return all that comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as client:
        client.sendall(request)
        got = b""
        while part := client.recv(65536):
            got += part
        return got


def descriptors(pid):
    """How many descriptors a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
