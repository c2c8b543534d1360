"""Containers of the landing before are taken over in flight, with the addresses and names that they know."""

import pytest
from tests.docker.shop import CALLER, DOCKERFILE, add_app, compose, service
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def test_upgrade_keeps_calls_by_name_from_old_containers(place, old_midair):
    new_path, port = place.environment["PATH"], free_port()
    place.environment["PATH"] = f"{old_midair}:{new_path}"
    add_app(place, "api")
    (place.folder / "web").mkdir()
    place.write(CALLER, "web/app.py")
    place.write(DOCKERFILE, "web/Dockerfile")
    api = service(name="api", replicas=2)
    place.write(compose({"web": service(port, replicas=1), "api": api}))
    place.midair("up", expect=0, timeout=200)
    before = {replica.id for name in ("web", "api") for replica in place.replicas(name)}
    with place.load(port, get=3, new=1) as load:
        place.environment["PATH"] = new_path
        place.midair("daemon", "restart", expect=0)
        place.midair("router", "restart", expect=0)
        assert "2 services as wanted" in place.midair("up", expect=0).out
        assert {replica.id for name in ("web", "api") for replica in place.replicas(name)} == before
        place.edit("api/app.py", '"v1"', '"v2"')
        place.midair("up", expect=0)
        place.edit("web/app.py", "LOCK =", "NEW = True\nLOCK =")
        place.midair("up", expect=0)
        place.edit("api/app.py", '"v2"', '"v3"')
        place.midair("up", expect=0)
        place.midair("undo", expect=0)
    assert load.report["failed"] == 0, load.report["failures"]
    assert set(load.report["versions"]) == {"v1", "v2", "v3"}
    assert place.client.counts("shop").total.lost == 0
