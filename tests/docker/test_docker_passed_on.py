"""What a file says beside image and command reaches the container."""

import pytest
from tests.docker.shop import SERVE, add_app, compose
from tests.docker.waiting import REPLICAS

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(200)]
RESOLVES = "import socket; print(socket.gethostbyname('database') == socket.gethostbyname('db'))"


def test_missing_folder_is_made_and_links_are_names(place, engine):
    add_app(place, "db")
    app = {"build": "./db", "command": SERVE, "expose": ["8000"], "x-midair": {"ready": {"http": "/healthz"}}}
    web = {**app, "volumes": ["./data:/data"], "links": ["db:database"]}
    place.write(compose({"db": app, "web": web}))
    place.midair("up", expect=0, timeout=150)
    assert (place.folder / "data").is_dir()
    (container,) = engine.docker("ps", "-q", "--filter", REPLICAS, "--filter", "name=shop-web").split()
    engine.docker("exec", container, "python3", "-c", "open('/data/file', 'w').write('x')")
    assert (place.folder / "data" / "file").read_text() == "x"
    assert engine.docker("exec", container, "python3", "-c", RESOLVES) == "True"
    assert "nothing to do" in place.midair("plan", expect=0).out
    subpath = {"type": "volume", "source": "v", "target": "/v", "volume": {"subpath": "a"}}
    place.write(compose({"db": app, "web": {**web, "volumes": [subpath]}}, volumes={"v": {}}))
    if "API 1.41" in engine.docker("version", "-f", "API {{.Server.APIVersion}}"):
        assert "volumes./v.volume.subpath needs an engine with API 1.45" in str(place.midair("plan"))
