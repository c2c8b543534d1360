"""Stacks as people have them, in several languages: each service is changed in its turn, and users notice nothing."""

from pathlib import Path

import pytest
import yaml
from tests.docker import engine as engines
from tests.e2e.place import free_port

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(300)]

APPS = Path(__file__).parent / "apps"
IMAGE = "midair-test/stack"
NODE, PERL = ["node", "/apps/web.js"], ["perl", "/apps/web.pl"]


@pytest.fixture(scope="module")
def stack_image(engine, tmp_path_factory):
    """Python, Node, Perl and the apps in one image."""
    folder = tmp_path_factory.mktemp("stack")
    engines.pack_programs(folder / "programs.tar", ["node", "perl"], [engines.PERL])
    for app in APPS.iterdir():
        (folder / app.name).write_bytes(app.read_bytes())
    (folder / "Dockerfile").write_text(
        f"FROM {engines.IMAGE}\nADD programs.tar /\nCOPY store.py web.js web.pl /apps/\nENV PERL5LIB={engines.PERL}\n"
    )
    engine.docker("build", "-q", "-t", IMAGE, str(folder))


def web(command, port=None, **more):
    """A service that answers HTTP."""
    found = {"command": command, "x-midair": {"ready": {"http": "/healthz"}, "drain": {"timeout": "4s"}}, **more}
    return found | ({"ports": [f"127.0.0.1:{port}:8000"]} if port else {"expose": ["8000"]})


def store(port, volume=None):
    """A service that answers TCP. With a volume it must be alone, so those who call it wait for its successor."""
    more = {"volumes": [f"{volume}:/data"]} if volume else {}
    command = ["python3", "/apps/store.py", str(port)]
    return {"command": command, "expose": [str(port)], "x-midair": {"drain": {"timeout": "2s"}}, **more}


def flask_redis(port):
    return {"web": web(PERL, port, environment={"STORE": "redis:6379"}, depends_on=["redis"]), "redis": store(6379)}


def nginx_flask_mongo(port):
    return {
        "front": web(NODE, port, environment={"NEXT": "backend:8000"}, depends_on=["backend"]),
        "backend": web(PERL, environment={"STORE": "mongo:27017"}, depends_on=["mongo"]),
        "mongo": store(27017, "data"),
    }


def nginx_nodejs_redis(port):
    both = {"deploy": {"replicas": 2}, "environment": {"STORE": "redis:6379"}, "depends_on": ["redis"]}
    return {
        "front": web(NODE, port, environment={"NEXT": "web:8000"}, depends_on=["web"], container_name="front"),
        "web": web(NODE, **both),
        "redis": store(6379),
    }


def nginx_golang_postgres(port):
    tiers = {"front": ["outer"], "outer": ["inner"], "inner": ["inner"]}
    services = {
        "proxy": web(NODE, port, environment={"NEXT": "backend:8000"}, networks=tiers["front"] + tiers["outer"]),
        "backend": web(PERL, environment={"STORE": "db:5432"}, networks=tiers["outer"] + tiers["inner"]),
        "db": store(5432, "data") | {"networks": tiers["inner"]},
    }
    return {**services, "networks": {name: {} for name in ("outer", "inner")}}


def react_express_mongodb(port):
    return {
        "frontend": web(NODE, port, environment={"NEXT": "backend:8000"}),
        "backend": web(NODE, environment={"STORE": "mongo:27017"}, deploy={"replicas": 2}),
        "mongo": store(27017),
    }


@pytest.mark.parametrize(
    "stack",
    [flask_redis, nginx_flask_mongo, nginx_nodejs_redis, nginx_golang_postgres, react_express_mongodb],
    ids=lambda stack: stack.__name__,
)
def test_every_service_of_a_stack_is_changed_in_its_turn(place, engine, stack_image, stack):
    port = free_port()
    services = stack(port)
    networks = services.pop("networks", None)
    for service in services.values():
        service |= {"image": IMAGE, "pull_policy": "never", "stop_grace_period": "4s"}
        service["deploy"] = {**service.get("deploy", {}), "update_config": {"monitor": "300ms", "parallelism": 2}}

    def write():
        volumes = {"data": {}} if "data:/data" in str(services) else None
        file = {"name": "shop", "services": services, "networks": networks, "volumes": volumes}
        place.write(yaml.safe_dump({name: value for name, value in file.items() if value}))

    write()
    place.midair("up", expect=0, timeout=200)
    with place.load(port, get=1, idle=1, new=1, options={"pause": 0.02}) as load:
        for name, service in services.items():
            service["environment"] = {**service.get("environment", {}), "COLOUR": name}
            write()
            place.midair("up", "--yes", expect=0)
    assert load.report["failed"] == 0, load.report["failures"]
    assert place.client.counts("shop").total.lost == 0
    assert next(iter(services)) in load.report["versions"], "the front was changed under load"
