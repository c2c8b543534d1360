"""A Compose stack as people have it, and its users: outside on the published port, inside by the services' names."""

import json
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path

import yaml
from tests.docker import composev2
from tests.docker.waiting import eventually
from tests.e2e.place import LOAD, free_port

HERE = Path(__file__).parent
NAMES = sorted(path.parent.name for path in HERE.glob("*/compose.yaml"))
MOVED = sorted(path.parent.name for path in HERE.glob("*/processes.yaml"))  # those that also run as processes
CALLER = "python:3.11-slim"
OUTSIDE = {"get": 1, "idle": 1, "new": 1, "post": 1}
# Without a check an app that hangs could as well be slow, so it is given ten minutes unless the file says less.
HURRY = "services: {{{}: {{x-midair: {{rollout: {{progress_deadline: 15s}}}}}}}}\n"


def images_of(name):
    """Images that a stack and its users need and do not build."""
    services = yaml.safe_load((HERE / name / "compose.yaml").read_text())["services"].values()
    return {CALLER, *(service["image"] for service in services if "image" in service)}


class Stack:
    """The folder of a stack in a place of its own. The Compose file stays as it is; settings are in `.env`."""

    def __init__(self, name, place, engine):
        self.name, self.place, self.engine = name, place, engine
        self.port = free_port()
        self.settings = {"COMPOSE_PROJECT_NAME": "shop", "WEB_PORT": self.port}
        self.callers = []
        shutil.copytree(HERE / name, place.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        self.users = json.loads((HERE / name / "users.json").read_text())
        self.set()

    def set(self, **settings):
        """Change `.env`."""
        self.settings |= settings
        self.place.write("".join(f"{name}={value}\n" for name, value in self.settings.items()), ".env")

    def up(self, *, expect=0, timeout=200):
        """`midair up`, which must not find anything to ask."""
        return self.place.midair("up", expect=expect, timeout=timeout)

    def hurry(self):
        """Give up sooner, by a file beside the Compose file."""
        self.place.write(HURRY.format(self.users["app"]), "compose.override.yaml")

    def compose_up(self):
        """Start it with Docker Compose.

        A new postgres passes its check while it is prepared and only its socket reaches it, so Compose may start a
        migration too soon. People then start it once more.
        """
        words = ("up", "-d", "--wait", *self.users.get("compose", ()))
        try:
            self.compose(*words)
        except AssertionError:
            self.compose(*words)

    @contextmanager
    def broken(self, way):
        """New code that fails in this way: an edit of a file, or a setting that the code fails by."""
        edit = self.users.get(way)
        if edit is None:
            self.set(BROKEN=way)
        else:
            self.place.edit(*edit)
        yield
        if edit is None:
            self.set(BROKEN="")
        else:
            path, before, after = edit
            self.place.edit(path, after, before)

    def compose(self, *words):
        """Docker Compose in the folder of the project."""
        environment = {**self.place.environment, "DOCKER_HOST": self.engine.host}
        done = subprocess.run(
            [composev2.command(), *words],
            cwd=self.place.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def load(self, **options):
        """Users outside and inside for as long as the block lasts; yields their reports, complete afterwards."""
        reports = {}
        callers = {" ".join(words): self._call(words) for words in self.users["inside"]}
        with self.place.load(self.port, options={"pause": 0.02, **options}, **OUTSIDE) as outside:
            yield reports
        reports["outside"] = outside.report
        for words, container in callers.items():
            reports[words] = self._report(container)
        for users, report in reports.items():
            self.place.log.append(
                f"{users}: {report['requests']} calls, {report['failed']} failed {report['failures']}"
            )

    def _call(self, words):
        """Start a caller in the project's network: the load client, or a client of a database."""
        container = self.engine.docker(
            "run", "-d", "--init", "--network", self.users.get("network", "shop_default"),
            "-v", f"{LOAD}:/load:ro", "-v", f"{HERE}/callers.py:/callers.py:ro", CALLER, "python3", *words,
        )  # fmt: skip
        self.callers.append(container)
        eventually(lambda: "started" in self.engine.docker("logs", container), patience=30)
        return container

    def _report(self, container):
        self.engine.docker("kill", "--signal", "TERM", container)
        self.engine.docker("wait", container)
        return json.loads(self.engine.docker("logs", container).splitlines()[-1])

    def end(self):
        """Remove the callers. What midair printed is shown with pytest's -rP."""
        print("\n".join(self.place.log))
        if self.callers:
            self.engine.docker("rm", "-f", *self.callers)
