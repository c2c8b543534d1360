"""A home made by the landing before is taken over in flight: nothing is lost, rolled or forgotten."""

import json
import time

import pytest
import yaml
from tests.e2e.place import free_port
from tests.e2e.shop import service
from tests.upgrade.conftest import upgrade

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WORKER = "import time\nwhile True:\n    time.sleep(0.2)\n"
FLAGS = {"flags": {"banner": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}}}


@pytest.fixture
def shop(place):
    """web and api by HTTP, a worker that nothing calls, a one-shot, flags; and the changes that made them."""
    place.web, place.api = free_port(), free_port()
    for name in ("web", "api"):
        place.app("asgi", name)
    (place.folder / "jobs").mkdir()
    (place.folder / "jobs" / "worker.py").write_text(WORKER)
    (place.folder / "flags.json").write_text(json.dumps(FLAGS))
    job = {"build": "./jobs", "deploy": {"update_config": {"monitor": "300ms"}}}
    after_migration = {"migrate": {"condition": "service_completed_successfully"}}
    services = {
        "web": service("web", place.web),
        "api": service("api", place.api, replicas=2, depends_on=after_migration),
        "worker": {**job, "command": "python worker.py"},
        "migrate": {**job, "command": "python -c pass", "restart": "no"},
    }
    place.services = services
    place.file = lambda: yaml.safe_dump(
        {"name": "shop", "services": services, "x-midair": {"flags": "./flags.json"}}, sort_keys=False
    )
    place.write(place.file())
    return place


def living(place):
    """What runs: identities of all replicas."""
    return {(name, replica.id, replica.pid) for name in place.services for replica in place.replicas(name)}


def until(fact):
    deadline = time.monotonic() + 30
    while not fact():
        assert time.monotonic() < deadline, "it did not become true"
        time.sleep(0.05)


def take_over(place):
    """The upgrade, as the page for production says it."""
    upgrade(place)
    place.midair("daemon", "restart", expect=0)
    place.midair("router", "restart", expect=0)


def test_upgrade_rolls_nothing_and_loses_nothing(shop):
    shop.midair("up", expect=0)
    old_revision = shop.service("web").revision
    shop.services["web"]["environment"] = {"COLOUR": "green"}
    shop.write(shop.file())
    shop.midair("up", expect=0)
    shop.midair("flag", "set", "banner", "on=100", expect=0)
    shop.midair("daemon", "backup", str(shop.folder.parent / "old.backup"), expect=0)
    before, flags = living(shop), shop.midair("flag", "list", expect=0).out
    with shop.load(shop.web, get=3, new=1, post=1), shop.load(shop.api, get=2):
        take_over(shop)
        assert living(shop) == before
        assert "4 services as wanted" in shop.midair("up", expect=0).out
        assert living(shop) == before
        assert shop.midair("flag", "list", expect=0).out == flags
        shop.midair("undo", "--yes", expect=0)
        shop.midair("undo", "--yes", expect=0)
        assert shop.service("web").revision == old_revision
        shop.midair("daemon", "restore", str(shop.folder.parent / "old.backup"), expect=0)
        until(lambda: shop.client.history("shop")[0].phase == "completed")
        assert shop.service("web").revision != old_revision
    shop.nothing_was_lost()


def test_upgrade_continues_a_paused_canary(shop):
    shop.midair("up", expect=0)
    shop.services["api"]["environment"] = {"COLOUR": "green"}
    shop.services["api"]["x-midair"]["rollout"] = {"strategy": "canary", "steps": [{"weight": 50}, {"pause": True}]}
    shop.write(shop.file())
    with shop.load(shop.web, get=2), shop.load(shop.api, get=2, post=1):
        shop.midair("up", "--detach", expect=0)
        until(lambda: "waits for" in shop.service("api").step)
        before = living(shop)
        take_over(shop)
        assert living(shop) == before
        assert "waits for" in shop.service("api").step
        shop.midair("promote", "api", expect=0)
        until(lambda: shop.client.history("shop")[0].phase == "completed")
    shop.nothing_was_lost()
