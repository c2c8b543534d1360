"""midair's flag client works in a container with no setup, for any user, and follows changes."""

import shutil
from pathlib import Path

import pytest
import yaml
from tests.docker.shop import DOCKERFILE, service
from tests.docker.test_docker_changes import ids_of
from tests.docker.waiting import body_of, eventually
from tests.e2e.place import free_port

import midair

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

APP = """
from midair.openfeature import Flags

FLAGS = Flags(cache=False)


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    body = FLAGS.string("greeting", "no flag").encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""
GREETING = {"state": "ENABLED", "variants": {"hello": "hello", "bye": "good bye"}, "defaultVariant": "hello"}


def write(place, port, **more):
    web = service(port, replicas=1, user="1000:1000", read_only=True)
    place.write(yaml.safe_dump({"name": "shop", "x-midair": {"runtime": "docker", **more}, "services": {"web": web}}))


def test_flags_reach_containers_and_follow_every_change(place, engine):
    port = free_port()
    code = place.folder / "web"
    shutil.copytree(Path(midair.__file__).parent, code / "midair", ignore=shutil.ignore_patterns("__pycache__"))
    place.write(APP, "web/app.py")
    place.write(DOCKERFILE, "web/Dockerfile")
    write(place, port)
    place.midair("up", expect=0, timeout=200)
    before = ids_of(engine)
    assert body_of(port) == "no flag"
    place.write(yaml.safe_dump({"flags": {"greeting": GREETING}}), "flags.yaml")
    write(place, port, flags="flags.yaml")
    place.midair("up", expect=0)
    eventually(lambda: body_of(port) == "hello", 10)
    place.client.daemon_stop()
    assert body_of(port) == "hello"
    place.midair("flag", "set", "greeting", "bye", expect=0)  # another daemon, on another socket
    eventually(lambda: body_of(port) == "good bye", 10)
    assert ids_of(engine) == before, "no container was replaced"
