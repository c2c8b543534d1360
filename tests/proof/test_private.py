"""What is secret appears nowhere, and what midair writes can be read by its owner alone."""

import json
import os
import stat
import subprocess

import pytest
from tests.proof.ground import Ground

pytestmark = pytest.mark.e2e
CANARY = "canary-5b0c6d1e"  # the value of a variable; its name may be told
LOOKING = (
    ("plan", "--json"), ("status", "--json"), ("ps", "--json"), ("events", "--json"), ("history", "--json"),
    ("plan",), ("status",), ("ps",), ("events",), ("history",), ("daemon", "status", "--json"), ("daemon", "logs"),
    ("logs",), ("doctor",),
)  # fmt: skip
ASKING = (
    "/openapi.json", "/v1/health", "/v1/projects", "/v1/projects/shop", "/v1/projects/shop/counts",
    "/v1/projects/shop/changes", "/v1/projects/shop/changes/1", "/v1/projects/shop/changes/2", "/v1/events?after=0",
    "/v1/projects/shop/events?after=0", "/v1/projects/shop/logs",
)  # fmt: skip
POSTING = (("/v1/projects/shop/undo-plan", {}), ("/v1/projects/shop/plan", None))
# Who may read it must: the database and what it is restored from, the records that a replica is started again from.
KEEPERS = ("midair.db", "midair.db-wal", "record.json")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project with a secret in a variable, one in an env_file and one in a file, after a good and a failed change."""
    ground = Ground(tmp_path_factory.mktemp("private"))
    (ground.folder / "secret.env").write_text(f"TOKEN={CANARY}-file\n")
    more = {"env_file": ["./secret.env"]}
    ground.secret = {**more, "environment": {"PASSWORD": f"{CANARY}-1"}}
    try:
        ground.up("red", **ground.secret)
        ground.up("red", **more, environment={"PASSWORD": f"{CANARY}-2", "BROKEN": f"{CANARY}-3"}, monitor="2s")
        ground.project("red", **more, environment={"PASSWORD": f"{CANARY}-4"})
        yield ground
    finally:
        left = ground.close()
    assert left == []


def request(ground, path, body=None):
    """Everything that the API answers, head included."""
    command = [
        "curl",
        "-si",
        "--max-time",
        "10",
        "--unix-socket",
        str(ground.home / "api.sock"),
        f"http://midair{path}",
    ]
    if body is not None:
        command += ["-H", "Content-Type: application/json", "--data-binary", body]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def test_replicas_have_the_secret(shop):
    pid = next(pid for name, pid in shop.pids().items() if "/" in name)
    with open(f"/proc/{pid}/environ") as environment:
        assert CANARY in environment.read(), "the test would show nothing"


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
def test_no_command_prints_it(shop, arguments):
    done = shop.midair(*arguments)
    assert CANARY not in done.out + done.err
    assert "Traceback" not in done.err


def test_no_answer_of_the_api_has_it(shop):
    for path in ASKING:
        answer = request(shop, path)
        assert answer.startswith("HTTP/1.1 200"), (path, answer[:300])
        assert CANARY not in answer, path
    plan = shop.client.plan(shop.project("red", environment={"PASSWORD": f"{CANARY}-5"}))
    assert CANARY not in repr(plan)
    assert "PASSWORD" in repr(plan)  # the name is told
    assert CANARY not in request(shop, "/v1/projects/shop/undo-plan", "{}")


def test_an_error_about_what_was_sent_does_not_repeat_it(shop):
    for body in (
        f'{{"project": "{CANARY}"}}',
        f'{{"{CANARY}',
        json.dumps({"project": {"name": CANARY, "services": 1}}),
    ):
        assert CANARY not in request(shop, "/v1/projects/shop/plan", body)


def test_no_file_has_it_but_those_that_replicas_are_started_again_from(shop):
    found = {path.name for path in shop.home.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()}
    assert found
    assert found <= set(KEEPERS), "it was written where nobody needs it"


def test_nobody_else_can_read_or_write_anything(shop):
    modes = {path: stat.S_IMODE(os.lstat(path).st_mode) for path in (shop.home, *shop.home.rglob("*"))}
    loose = {str(path.relative_to(shop.home)): oct(mode) for path, mode in modes.items() if is_loose(path, mode, shop)}
    assert loose == {}
    assert modes[shop.home / "api.sock"] == 0o600
    assert modes[shop.home / "projects" / "shop" / "router.sock"] == 0o600


def is_loose(path, mode, shop):
    """Whether others could do anything there. Code keeps its modes inside a release, and containers have other users
    who find flags in "inside" and the router in "fronts": the folders above are closed."""
    parts = path.relative_to(shop.home).parts
    if {"releases", "inside", "fronts"} & set(parts) or "blobs" in parts[:3]:
        return False
    return bool(mode & 0o077)


def test_releases_lie_behind_a_closed_door(shop):
    assert stat.S_IMODE(shop.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((shop.home / "projects" / "shop").stat().st_mode) == 0o700


def test_a_home_that_others_may_enter_is_closed_or_complained_about(tmp_path):
    ground = Ground(tmp_path)
    ground.home.mkdir(mode=0o755)
    try:
        ground.client.ensure_daemon()
        for path in ground.home.iterdir():
            assert stat.S_IMODE(os.lstat(path).st_mode) & 0o077 == 0, path
    finally:
        assert ground.close() == []
