import tokenize
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midair.errors import PlanRefused
from midair.plan.table import RUNTIMES, row_of, rows
from midair.runtime import docker
from midair.spec import known_fields

PROCESS_LIVE = [
    "deploy.replicas",
    "deploy.update_config",
    "restart",
    "healthcheck.interval",
    "stop_signal",
    "stop_grace_period",
    "pre_stop",
    "ports",
    "depends_on",
    "labels",
    "profiles",
    "x-midair.ready.interval",
    "x-midair.drain",
    "x-midair.hold",
    "x-midair.rollout",
]
DOCKER_RESIZE = [
    "cpus",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "pids_limit",
    "cpu_shares",
    "cpu_period",
    "cpu_quota",
    "cpuset",
    "restart",
    "deploy.resources.limits.memory",
]


def test_every_field_stands_in_the_table_once():
    paths = [row.path for row in rows()]
    assert len(paths) == len(set(paths))


def test_every_row_gives_a_cause_on_every_runtime():
    assert [(row.path, runtime) for row in rows() for runtime in RUNTIMES if not row.why(runtime)] == []
    assert [row.path for row in rows() for runtime in RUNTIMES if row.why(runtime).endswith(".")] == []


@pytest.mark.parametrize("path", PROCESS_LIVE)
def test_what_midair_does_itself_touches_no_process(path):
    assert row_of(tuple(path.split("."))).on("process") == "live"


@pytest.mark.parametrize("path", DOCKER_RESIZE)
def test_what_docker_can_change_in_place_is_not_replaced(path):
    assert row_of(tuple(path.split("."))).on("docker") == "resize"


def test_a_field_below_a_row_is_spoken_for_by_the_nearest_row_above():
    assert row_of(("environment", "LOG_LEVEL")).path == "environment"
    assert row_of(("deploy", "resources", "limits", "memory")).path == "deploy.resources.limits.memory"
    assert row_of(("deploy", "resources", "limits", "later")).path == "deploy.resources"
    assert row_of(("depends_on", "db", "restart")).path == "depends_on.*.restart"


def test_a_field_that_is_not_in_the_table_is_an_error():
    with pytest.raises(PlanRefused, match='cannot plan "comand"'):
        row_of(("comand",))


@settings(max_examples=50)
@given(st.sampled_from([row.path for row in rows()]), st.text(min_size=1))
def test_looking_up_a_row_by_its_own_path_finds_it(path, below):
    assert row_of(tuple(path.split("."))).path == path
    assert row_of((*path.split("."), below)).path.startswith(path.split(".")[0])


def words(path):
    return tuple(path.replace("[]", "").split("."))


def test_every_field_that_the_reader_knows_has_a_row():
    missing = []
    for field in known_fields():
        try:
            row_of(words(field.path))
        except PlanRefused:
            missing.append(field.path)
    assert missing == []


def test_every_row_is_a_field_that_the_reader_knows():
    known = {words(field.path)[:length] for field in known_fields() for length in range(1, 9)}
    assert known, "the reader knows no field"
    assert [row.path for row in rows() if words(row.path) not in known and not row.path.startswith("x-midair")] == []


def spoken_of(folder):
    """Every name and every plain text in the code of a package, comments and docstrings left out."""
    found = set()
    for path in folder.rglob("*.py"):
        with path.open("rb") as file:
            for token in tokenize.tokenize(file.readline):
                if token.type in (tokenize.NAME, tokenize.STRING):
                    found.add(token.string.strip("\"'"))
    return found


def test_what_makes_a_new_container_is_passed_on_to_the_engine():
    code = spoken_of(Path(docker.__file__).parent)
    told = [row.path for row in rows() if row.on("docker") in ("replace", "resize", "recreate")]
    own = [path for path in told if path.startswith("x-midair")]
    assert [path for path in told if path not in own and path.rsplit(".", 1)[-1] not in code] == []


def test_what_is_said_not_to_be_passed_on_is_not():
    code = spoken_of(Path(docker.__file__).parent)
    assert [row.path for row in rows() if "not pass it on" in row.why("docker") and row.path in code] == []
