"""Configs and secrets are files of a revision: a change of one is rolled out, and undo brings the old content back."""

import stat

import pytest
from tests.docker.shop import add_app, compose, service
from tests.docker.waiting import REPLICAS
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

FILES = {
    "configs": ["motd", {"source": "tuning", "target": "/etc/tuning.conf", "mode": "0440"}],
    "secrets": ["password", {"source": "token", "target": "api_token"}],
}
SOURCES = {
    "configs": {"motd": {"file": "./motd.txt"}, "tuning": {"content": "workers=${WORKERS:-2}"}},
    "secrets": {"password": {"file": "./password.txt"}, "token": {"environment": "API_TOKEN"}},
}
PLACES = ("/motd", "/etc/tuning.conf", "/run/secrets/password", "/run/secrets/api_token")


def texts(engine):
    """What the containers of the project read in their files."""
    script = f"print([open(p).read() for p in {PLACES}])"
    found = engine.docker("ps", "-q", "--filter", REPLICAS).split()
    return {engine.docker("exec", one, "python3", "-c", script) for one in found}


def test_files_are_rolled_out_and_brought_back_by_undo(place, engine):
    port = free_port()
    add_app(place)
    place.environment["API_TOKEN"] = "sesame-1"
    place.write("hello\n", "motd.txt")
    place.write("hunter2", "password.txt")
    place.write(compose({"web": service(port, replicas=2, **FILES)}, **SOURCES))
    place.midair("up", expect=0, timeout=200)
    first = str(["hello\n", "workers=2", "hunter2", "sesame-1"])
    assert texts(engine) == {first}
    assert "nothing to do" in place.midair("plan", expect=0).out.lower()
    with place.load(port, get=2, new=1, post=1):
        place.environment["API_TOKEN"] = "sesame-2"
        place.write("swordfish", "password.txt")
        plan = place.midair("plan", expect=0).out
        assert "replace" in plan
        place.midair("up", expect=0)
        assert texts(engine) == {str(["hello\n", "workers=2", "swordfish", "sesame-2"])}
        (place.folder / "password.txt").unlink()
        place.midair("undo", expect=0)
        assert texts(engine) == {first}
    place.nothing_was_lost()
    said = "".join(place.log) + "".join(path.read_text(errors="replace") for path in place.home.rglob("*.log"))
    database = b"".join(path.read_bytes() for path in place.home.glob("midair.db*"))
    for secret in ("hunter2", "swordfish", "sesame-1", "sesame-2"):
        assert secret not in said
        assert secret.encode() not in database
    folder = place.home / "projects/shop/files"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name.split("-")[0] for path in folder.glob("*/*")} == {"444", "440"}


def test_a_secret_that_cannot_be_read_is_refused_before_anything_happens(place, engine):
    add_app(place)
    place.write(compose({"web": service(free_port(), **FILES)}, **SOURCES))
    done = place.midair("up", expect=2)
    for name in ("configs.motd", "secrets.password", "secrets.token"):
        assert name in done.err
    place.write(compose({"web": service(free_port(), secrets=["far"])}, secrets={"far": {"external": True}}))
    assert "external" in place.midair("up", expect=2).err
