"""The same Compose files as processes: none is changed, and an override gives images a command.

Three stacks cannot run so: nginx of "proxy" and the start script of "blog" listen on a port that a file of theirs
names, and RabbitMQ of "mail" writes into the settings of the machine.
"""

import json
import shutil
import subprocess

import pytest
import yaml
from tests.e2e.place import Place, free_port
from tests.stacks.conftest import sample
from tests.stacks.images.build import names_of, root_archive
from tests.stacks.machine import PATH, Machine
from tests.stacks.stack import HERE, MOVED, OUTSIDE, images_of
from tests.stacks.test_stacks import failures

pytestmark = [pytest.mark.stacks, pytest.mark.timeout(400)]
WAYS = ("exits", "hangs", "unhealthy", "dies")
# Without a check an app that gunicorn starts again and again is one that is slow to start, until the deadline.
WAYS_WITHOUT_CHECK = ("dies",)


@pytest.fixture(scope="module")
def machine(request, tmp_path_factory):
    images = set().union(*map(images_of, sample(request.config, MOVED)))
    return Machine(tmp_path_factory.mktemp("machine"), root_archive(names_of(images)))


class Stack:
    """A stack in a place of its own on the machine; settings are in `.env`."""

    def __init__(self, name, place, machine):
        self.place, self.machine, self.port = place, machine, free_port()
        self.settings = {"COMPOSE_PROJECT_NAME": "shop", "WEB_PORT": self.port}
        shutil.copytree(HERE / name, place.folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        (place.folder / "processes.yaml").rename(place.folder / "compose.override.yaml")
        self.users = json.loads((place.folder / "users.json").read_text())
        self.services = yaml.safe_load((place.folder / "compose.yaml").read_text())["services"]
        self.is_checked = any("healthcheck" in service for service in self.services.values() if "ports" in service)
        machine.make_ready(place.folder, self.services)
        self.set()

    def set(self, **settings):
        """Change `.env`."""
        self.settings |= settings
        self.place.write("".join(f"{name}={value}\n" for name, value in self.settings.items()), ".env")

    def up(self, *, expect=0):
        return self.place.midair("up", expect=expect, timeout=100)

    def load(self):
        """Users of the published port."""
        return self.place.load(self.port, options={"pause": 0.02}, **OUTSIDE)

    def callers(self):
        """Clients of the databases, for a `with` block: a list of reports, complete at its end."""
        return Callers(self.machine, [words for words in self.users["inside"] if words[0] == "/callers.py"])


class Callers:
    def __init__(self, machine, calls):
        self.reports = {}
        self.children = {
            " ".join(words): subprocess.Popen(
                [machine.bin / "inside", "python3", HERE / "callers.py", *words[1:]], stdout=subprocess.PIPE, text=True
            )
            for words in calls
        }  # fmt: skip

    def __enter__(self):
        for child in self.children.values():
            assert "started" in child.stdout.readline()
        return self.reports

    def __exit__(self, *_):
        for words, child in self.children.items():
            child.terminate()
            self.reports[words] = json.loads(child.communicate(timeout=30)[0].splitlines()[-1])


@pytest.fixture
def moved(request, tmp_path, living_in, machine):
    with living_in(Place(tmp_path)) as place:
        place.environment["PATH"] = f"{machine.bin}:{PATH}"
        yield Stack(request.param, place, machine)
        print("\n".join(place.log))


def test_unmodified_files_are_changed_as_processes(moved):
    moved.up()
    place = moved.place
    with moved.callers() as reports, moved.load() as outside:
        place.edit(*moved.users["code"])
        assert "0 lost" in moved.up().out
        moved.set(COLOUR="blue")
        assert "0 lost" in moved.up().out
        for way in WAYS if moved.is_checked else WAYS_WITHOUT_CHECK:
            moved.set(BROKEN=way)
            moved.up(expect=3)
        moved.set(BROKEN="")
        assert "0 lost" in place.midair("undo", expect=0).out
        assert "0 lost" in place.midair("undo", expect=0).out
    assert failures({**reports, "outside": outside.report}) == {}
    assert set(outside.report["versions"]) == {"v1", "v2"}
    place.nothing_was_lost()
