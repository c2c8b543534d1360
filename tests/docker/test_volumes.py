"""Which volume a container goes on with, out of what was noted and what containers say."""

import pytest

from midair.model.ids import FOREIGN, replica_id
from midair.runtime.docker.volumes import Volumes, inherited, noted, with_inherited

OLD, NEW = "a" * 64, "b" * 64
NEXT = replica_id("db", "r2", 0)


def container(replica, volume, created="1", status="running", path="/data"):
    """The part of an inspection that matters here."""
    service, revision, number = replica.split("/")
    labels = {"com.docker.compose.service": service, "com.docker.compose.container-number": str(int(number) + 1)}
    return {
        "Config": {"Labels": labels if revision == FOREIGN else {**labels, "io.midair.replica": replica}},
        "Created": created,
        "State": {"Status": status},
        "Mounts": [{"Type": "volume", "Name": volume, "Destination": path}],
    }


def test_volume_goes_to_the_next_revision_of_its_number():
    known = noted({}, [container("db/r1/0", OLD), container("db/r1/1", NEW)])
    assert inherited(known, NEXT, []) == {"/data": OLD}
    assert inherited(known, replica_id("db", "r2", 1), []) == {"/data": NEW}
    assert inherited(known, replica_id("db", "r2", 2), []) == {}
    assert inherited(known, replica_id("other", "r2", 0), []) == {}


def test_volume_of_compose_goes_to_the_first_number():
    assert inherited(noted({}, [container(f"db/{FOREIGN}/0", OLD)]), NEXT, []) == {"/data": OLD}


def test_volumes_with_names_are_not_noted():
    assert noted({}, [container("db/r1/0", "shop_data")]) == {}


def test_container_that_runs_is_believed_before_the_note():
    known = noted({}, [container("db/r1/0", OLD, "1"), container("db/r0/0", NEW, "2")])
    assert inherited(known, NEXT, []) == {"/data": NEW}
    running, ended = container("db/r1/0", OLD, "1"), container("db/r0/0", NEW, "2", "exited")
    assert inherited(known, NEXT, [running, ended]) == {"/data": OLD}


def test_container_removed_last_leaves_the_volume_in_use():
    known = noted({}, [container("db/r1/0", OLD, "1"), container("db/r0/0", NEW, "2")])
    known = noted(known, [container("db/r1/0", OLD, "1")], in_use=True)
    assert inherited(known, NEXT, []) == {"/data": OLD}
    assert known == {"db/0": {"/data": [NEW, OLD]}}


def test_replaced_container_of_compose_leads_nowhere():
    left = container(f"db/{FOREIGN}/0", OLD, status="exited")
    assert inherited(noted({}, [container("db/r1/0", NEW)]), NEXT, [left]) == {"/data": NEW}


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([], [{"Type": "volume", "Source": OLD, "Target": "/data"}]),
        ([{"Type": "volume", "Target": "/data"}], [{"Type": "volume", "Target": "/data", "Source": OLD}]),
        (
            [{"Type": "volume", "Source": "shop_data", "Target": "/data"}],
            [{"Type": "volume", "Source": "shop_data", "Target": "/data"}],
        ),
        ([{"Type": "tmpfs", "Target": "/data"}], [{"Type": "tmpfs", "Target": "/data"}]),
    ],
)
def test_volume_goes_where_the_file_names_nothing_else(mounts, expected):
    assert with_inherited(mounts, {"/data": OLD}, {"/data"}) == expected


def test_image_without_the_volume_gets_none():
    assert with_inherited([], {"/data": OLD}, ()) == []


def test_notes_are_read_by_the_next_daemon(tmp_path):
    Volumes(tmp_path / "volumes.json").note([container("db/r1/0", OLD)])
    assert Volumes(tmp_path / "volumes.json").of(NEXT, []) == {"/data": OLD}
    assert Volumes(tmp_path / "volumes.json").entries() == [(OLD, "db", "/data")]
