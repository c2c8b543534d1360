"""Data in volumes without a name goes on through every change, and is deleted by name when a project is forgotten."""

import pytest
import yaml
from tests.docker import engine as engines
from tests.docker.waiting import eventually

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(120)]

STORE = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
note = pathlib.Path("/data/note")
print("found:", note.read_text() if note.exists() else "nothing", flush=True)
while True:
    time.sleep(1)
"""


@pytest.fixture
def store(place, engine):
    """Writes the project's file: a service whose image keeps data in a VOLUME."""
    (place.folder / "store").mkdir()
    place.write(f"FROM {engines.IMAGE}\nVOLUME /data\n", "store/Dockerfile")

    def write(replicas=1, **environment):
        service = {
            "build": "./store", "command": ["python3", "-c", STORE], "environment": environment,
            "stop_grace_period": "5s", "deploy": {"replicas": replicas, "update_config": {"monitor": "200ms"}},
        }  # fmt: skip
        services = {"db": service}
        place.write(yaml.safe_dump({"name": "shop", "x-midair": {"runtime": "docker"}, "services": services}))

    return write


def containers(engine):
    label = "label=com.docker.compose.project=shop"
    replicas = ("--filter", label, "--filter", "label=io.midair.replica")
    listed = engine.docker("ps", *replicas, "--format", '{{.ID}} {{.Label "io.midair.replica"}}').splitlines()
    return {line.split()[1].rpartition("/")[2]: line.split()[0] for line in sorted(listed)}


def write_notes(engine):
    for number, container in containers(engine).items():
        engine.docker("exec", container, "python3", "-c", f"open('/data/note', 'w').write('orders {number}')")


def notes(engine):
    eventually(lambda: all("found" in engine.docker("logs", one) for one in containers(engine).values()))
    return {number: engine.docker("logs", one) for number, one in containers(engine).items()}


def test_data_without_a_name_survives_changes_undo_restart_and_down(place, engine, store):
    store(replicas=2)
    place.midair("up", expect=0, timeout=100)
    write_notes(engine)
    expected = {"0": "found: orders 0", "1": "found: orders 1"}
    store(replicas=2, LEVEL="2")
    assert "takes over the data in /data, so each stops before the next one starts" in place.midair("plan").out
    place.midair("up", expect=0)
    assert notes(engine) == expected
    place.midair("undo", expect=0)
    assert notes(engine) == expected
    before = containers(engine)
    place.midair("restart", expect=0)
    assert notes(engine) == expected
    assert not set(before.values()) & set(containers(engine).values())
    place.midair("down", expect=0)
    place.midair("up", expect=0)
    assert notes(engine) == expected
