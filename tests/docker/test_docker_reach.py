"""On Docker too a replica is ready when the router has connected to it, and what keeps it from that is said."""

import pytest
import yaml
from tests.docker import engine as engines
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

LISTEN = """
import os, socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer((os.environ.get("ON", ""), int(os.environ["AT"])), Echo).serve_forever()
"""
IMAGE = "midair-test/exposes"


@pytest.fixture
def image(place, engine):
    """Like most images of databases: it EXPOSEs a port, of which no file speaks."""
    folder = place.folder / "image"
    folder.mkdir()
    (folder / "listen.py").write_text(LISTEN)
    (folder / "Dockerfile").write_text(
        f'FROM {engines.IMAGE}\nCOPY listen.py /\nEXPOSE 6379\nENV AT=6379\nCMD ["python3", "/listen.py"]\n'
    )
    engine.docker("build", "-q", "-t", IMAGE, str(folder))
    yield IMAGE
    engine.docker("rmi", "-f", IMAGE)


def write(place, **services):
    update = {"update_config": {"monitor": "300ms"}}
    shared = {"image": IMAGE, "pull_policy": "never", "stop_grace_period": "1s", "deploy": update}
    file = {"name": "shop", "services": {name: shared | more for name, more in services.items()}}
    place.write(yaml.safe_dump(file | {"x-midair": {"runtime": "docker"}}))


def test_image_that_only_exposes_becomes_ready(place, image):
    write(place, cache={}, quiet={"environment": {"AT": "7000"}})
    shown = place.midair("up", expect=0, timeout=60).out
    assert "nothing listens on 6379" in next(line for line in shown.splitlines() if "quiet" in line and "ready" in line)
    assert place.service("cache").serving == 1


def test_reason_of_what_is_not_ready_is_said(place, image):
    web = {"ports": [f"127.0.0.1:{free_port()}:6379"], "x-midair": {"rollout": {"progress_deadline": "4s"}}}
    write(place, web=web)
    place.midair("up", expect=0, timeout=60)
    write(place, web=web | {"environment": {"ON": "127.0.0.1"}})
    deaf = place.midair("up", expect=3, timeout=60)
    assert "connection refused" in deaf.out
    assert "listens on 127.0.0.1 inside the container" in deaf.err
    write(place, web=web | {"environment": {"AT": "7000"}})
    elsewhere = place.midair("up", expect=3, timeout=60)
    assert "connection refused" in elsewhere.err
    assert ": it listens on 7000" in elsewhere.err
    crashes = {"environment": {"AT": "none"}}
    write(place, web=web | crashes)
    crashed = place.midair("up", expect=3, timeout=60)
    assert "exited with code 1: ValueError: invalid literal for int() with base 10: 'none'" in crashed.err
    check = {"healthcheck": {"test": ["CMD-SHELL", "echo database is locked; exit 3"], "interval": "300ms"}}
    write(place, web=web | check)
    sick = place.midair("up", expect=3, timeout=60)
    assert "its check ended with code 3: database is locked" in sick.err
    for check, reason in (
        ("import time; time.sleep(60)", '"python3" did not end within 1s'),
        ("raise ValueError(7)", '"python3" ended with code 1: ValueError: 7'),
    ):
        test = {"test": ["CMD", "python3", "-c", check], "interval": "300ms", "timeout": "1s", "retries": 1}
        write(place, web=web | {"healthcheck": test})
        assert reason in place.midair("up", expect=3, timeout=60).err
    missing = {"test": ["CMD", "curl", "localhost"], "interval": "300ms", "retries": 1}
    write(place, web=web | {"healthcheck": missing})
    reason = '"curl" could not be run: exec: "curl": executable file not found in $PATH,'
    assert reason in place.midair("up", expect=3, timeout=60).err
    assert place.service("web").serving == 1
