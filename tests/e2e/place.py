"""A folder with a project in it and a daemon of its own, driven by the real command line and watched from outside."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from midair.client import Client
from midair.errors import MidairError

HERE = Path(__file__).parent
LOAD = HERE.parent / "load"
BIN = Path(sys.executable).parent


class Done:
    """How a call of the command line ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"


class Load:
    """The load client as a process of its own. Ends, and has its `report`, when the `with` block ends."""

    def __init__(self, port, kinds, options):
        arguments = [f"--{name}={value}" for name, value in {**kinds, **options}.items()]
        self.report = None
        self.child = subprocess.Popen(
            [sys.executable, str(LOAD), f"127.0.0.1:{port}", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self):
        assert json.loads(self.child.stdout.readline()) == {"started": True}
        return self

    def __exit__(self, *_):
        out, _ = self.child.communicate(timeout=60)  # closing its input tells it to finish what is begun
        self.report = json.loads(out)

    def is_on(self):
        """Whether it still runs."""
        return self.child.poll() is None


class Place:
    """One project. `close` ends everything and says what was left behind."""

    def __init__(self, folder):
        self.home, self.folder = folder / "home", folder / "shop"
        self.folder.mkdir(parents=True)
        self.client = Client(self.home)
        self.loads = []
        self.log = []
        self.environment = {
            "PATH": f"{BIN}:{os.environ.get('PATH', os.defpath)}", "HOME": str(folder), "LANG": "C.UTF-8",
            "MIDAIR_HOME": str(self.home), "TZ": "UTC",
        }  # fmt: skip

    # The project

    def app(self, name, service):
        """Put a copy of a test app into the folder of a service."""
        shutil.copytree(HERE / "apps" / name, self.folder / service, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(self, path, before, after):
        """Replace text in a file of the project."""
        file = self.folder / path
        text = file.read_text()
        assert before in text, f"{path} has no {before!r}"
        file.write_text(text.replace(before, after))

    def write(self, text, name="compose.yaml"):
        """Write a file of the project."""
        (self.folder / name).write_text(text)

    # The command line

    def midair(self, *arguments, timeout=90, folder=None, expect=None):
        """Run it to its end."""
        child = subprocess.run(
            ["midair", *arguments], env=self.environment, cwd=folder or self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        done = Done(child.returncode, child.stdout, child.stderr)
        self.log.append(f"$ midair {' '.join(arguments)}\n{done}")
        if expect is not None:
            assert done.code == expect, done
        return done

    def begin(self, *arguments):
        """Start it and leave it running."""
        return subprocess.Popen(
            ["midair", *arguments], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    # Looking

    def load(self, port, *, options=None, **kinds):
        """Users of a port, for a `with` block."""
        load = Load(port, kinds, options or {})
        self.loads.append(load)
        return load

    def status(self):
        """The project as the control plane sees it."""
        return self.client.status("shop")

    def service(self, name):
        """One service of it."""
        return next(service for service in self.status().services if service.name == name)

    def replicas(self, name):
        """The replicas of a service, of all revisions."""
        return [replica for revision in self.service(name).revisions for replica in revision.replicas]

    def nothing_was_lost(self):
        """The load client saw no failure, and the router counted exactly what the client sent."""
        reports = [load.report for load in self.loads]
        assert all(report["failed"] == 0 for report in reports), [report["failures"] for report in reports]
        sent = sum(report["requests"] for report in reports)
        total = self.client.counts("shop").total
        assert total.lost == 0
        assert (total.accepted, total.answered) == (sent, sent), total

    # The end

    def close(self):
        """End everything. Returns the command lines of processes that were left."""
        for load in self.loads:
            if load.is_on():
                load.child.kill()
                load.child.communicate()
        try:
            self.midair("down", "-p", "shop", timeout=60)
            self.client.daemon_stop()
        except (MidairError, subprocess.TimeoutExpired) as error:
            self.log.append(f"cannot close: {error}")
        return self._leftovers()

    def _leftovers(self):
        deadline = time.monotonic() + 10
        while (left := self._processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        return list(left.values())

    def _processes(self):
        """Processes that have anything to do with this place, by their environment or arguments."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                about = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if str(self.home.parent).encode() in about and state != "Z" and int(folder.name) != os.getpid():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return found

    def artifacts(self):
        """Everything that helps to understand a failure."""
        parts = ["\n".join(self.log)]
        parts += [f"load {load.child.args[2]}: {json.dumps(load.report, indent=1)}" for load in self.loads]
        for path in sorted(self.home.rglob("*.log")) if self.home.exists() else ():
            parts.append(f"--- {path}\n{path.read_text(errors='replace')[-4000:]}")
        return "\n".join(parts)


def free_port():
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
