"""Images are pulled under `pull_policy` and pinned to their content, and trouble with registries changes nothing."""

import base64
import json
import socket

import pytest
from tests.docker.registry import PASSWORD, USER, Registry
from tests.docker.shop import add_app, compose, service
from tests.docker.waiting import REPLICAS
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]


def push(place, engine, name):
    """Build the app into an image, give it to its registry, and forget it here."""
    engine.docker("build", "-q", "-t", name, str(place.folder / "web"))
    engine.docker("push", "-q", name)
    engine.docker("rmi", name)


def pulled(port, image, **more):
    """A service of an image."""
    return {name: value for name, value in service(port, replicas=2, image=image, **more).items() if name != "build"}


def test_a_tag_that_moves_is_a_change_and_undo_returns_to_the_same_bytes(place, engine, tmp_path):
    port = free_port()
    add_app(place)
    with Registry(tmp_path / "registry") as registry:
        image = f"{registry.host}/team/web:1"
        push(place, engine, image)
        place.write(compose({"web": pulled(port, image, pull_policy="always")}))
        assert f"pulling {image}" in str(place.midair("up", expect=0))
        assert "nothing to do" in place.midair("plan", expect=0).out
        with place.load(port, get=2, new=1) as load:
            place.edit("web/app.py", '"v1"', '"v2"')
            push(place, engine, image)
            assert "nothing to do" not in place.midair("plan", expect=0).out
            place.midair("up", expect=0)
            engine.docker("image", "prune", "-f")
            place.midair("undo", expect=0)  # the tag says v2 now, and the image of v1 may be gone
        place.nothing_was_lost()
        assert list(load.report["versions"]) == ["v1", "v2"]
        running = engine.docker("ps", "-q", "--filter", REPLICAS).split()
        images = engine.docker("inspect", "-f", "{{.Config.Image}}", *running).split()
        assert all(name.startswith(f"{registry.host}/team/web@sha256:") for name in images)
        place.write(compose({"web": pulled(port, f"{registry.host}/team/nothing:1")}))
        refused_and_serving(place, "nothing:1")
    place.write(compose({"web": pulled(port, image, pull_policy="always")}))
    refused_and_serving(place, image)  # the registry is gone


def refused_and_serving(place, *said):
    """An `up` fails with these words, and what ran goes on."""
    done = place.midair("up", expect=1)
    assert all(text in done.err for text in said), done
    assert place.service("web").serving == 2
    return done


def test_a_private_registry_is_entered_as_the_user_and_one_that_hangs_is_given_up(place, engine, tmp_path):
    port = free_port()
    add_app(place)
    config = tmp_path / "docker"
    config.mkdir()
    place.environment["DOCKER_CONFIG"] = str(config)
    place.write(compose({"web": service(port, replicas=2)}))
    place.midair("up", expect=0, timeout=200)
    with Registry(tmp_path / "registry", closed=True) as registry, place.load(port, get=2, new=1):
        image = f"{registry.host}/web:1"
        engine.docker("login", "-u", USER, "-p", PASSWORD, registry.host)
        push(place, engine, image)
        engine.docker("logout", registry.host)
        place.write(compose({"web": pulled(port, image)}))
        assert f"docker login {registry.host}" in refused_and_serving(place, "cannot find image").err
        auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (config / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
        place.midair("up", expect=0)
        assert PASSWORD not in "".join(place.log)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            place.write(compose({"web": pulled(port, f"127.0.0.1:{silent.getsockname()[1]}/web:1")}))
            refused_and_serving(place, "the registry does not answer")
        place.write(compose({"web": pulled(port, "midair-test/absent:1", pull_policy="never")}))
        refused_and_serving(place, 'pull_policy is "never"')
    place.nothing_was_lost()
