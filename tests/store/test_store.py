"""The store keeps what it is given, all of it or nothing."""

import sqlite3

import msgspec
import pytest

from midair.model.change import Change
from midair.model.event import ReplicaReady, ReplicaStarted
from midair.model.ids import ChangeId, ReplicaId, RevisionId
from midair.model.plan import Plan
from midair.model.project import Applied, Project, Revision, Service
from midair.model.rollout import Goal, Rollout
from midair.store import Commit, Store


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def applied(command="serve"):
    service = Service(name="web", command=(command,))
    return Applied(Project("shop", {"web": service}), {"web": Revision(RevisionId("aa11bb22"), service)})


def change(number=1, phase="progressing", **more):
    return Change(
        ChangeId(number), "shop", "up", phase, created_at=10.0, after=applied(), plan=Plan("shop", digest="d"), **more
    )


def rollout(phase="progressing"):
    goal = Goal(RevisionId("aa11bb22"), 3)
    return Rollout("web", ChangeId(1), phase, goal=goal, stable=Goal(None, 0))


def test_a_commit_is_read_back_as_it_was(store):
    before = applied("old")
    given = change(before=before)
    store.commit(Commit("shop", 11.0, changes=(given,), rollouts=(rollout(),), completed=before))
    assert store.changes.get("shop", 1) == given
    assert store.changes.latest("shop") == given
    assert store.rollouts.all("shop") == {"web": rollout()}
    assert store.projects.completed("shop") == before
    assert store.projects.names() == ("shop",)


def test_a_change_stored_again_keeps_what_never_changes(store):
    store.commit(Commit("shop", 11.0, changes=(change(before=applied("old")),)))
    ended = change(phase="completed", ended_at=12.0, before=applied("old"))
    store.commit(Commit("shop", 12.0, changes=(ended,)))
    assert store.changes.get("shop", 1) == ended
    assert store.changes.next_id("shop") == 2


def test_a_forgotten_project_leaves_nothing_and_takes_nothing_with_it(store):
    revision = applied().revisions["web"]
    for project in ("shop", "blog"):
        one = msgspec.structs.replace(change(), project=project)
        event = (1, ReplicaReady(ReplicaId("web/aa11bb22/0")))
        store.commit(
            Commit(
                project, 11.0, changes=(one,), rollouts=(rollout(),), revisions=(revision,), events=(event,),
                completed=applied(),
            )
        )  # fmt: skip
    before = store.events.newest()
    store.forget("shop")
    assert store.projects.names() == ("blog",)
    for kept, expected in (("shop", 0), ("blog", 1)):
        found = (
            store.changes.all,
            store.rollouts.all,
            store.revisions.all,
            lambda name: store.events.after(0, project=name),
        )
        assert [len(look(kept)) for look in found] == [expected] * 4
    assert store.projects.completed("shop") is None
    assert store.events.newest() == before, "a follower would miss what gets a number again"


def test_events_are_numbered_over_all_projects(store):
    for number, project in enumerate(("shop", "blog", "shop"), start=1):
        event = ReplicaStarted(ReplicaId("web/aa/0"), attempt=number)
        (recorded,) = store.commit(Commit(project, 1.0, events=((1, event),)))
        assert recorded.number == number
    assert [event.number for event in store.events.after(0)] == [1, 2, 3]
    assert [event.number for event in store.events.after(1, project="shop")] == [3]
    assert store.events.after(2)[0].event == ReplicaStarted(ReplicaId("web/aa/0"), attempt=3)
    assert store.events.first_of("blog", 1) == 2


def test_numbers_of_pruned_events_are_not_given_again(store):
    event = (1, ReplicaReady(ReplicaId("web/aa/0")))
    store.commit(Commit("shop", 1.0, events=(event,) * 5))
    with store.transaction("prune"):
        store.events.prune("shop", keep=2)
    assert [kept.number for kept in store.events.after(0)] == [4, 5]
    with store.transaction("prune"):
        store.events.prune("shop", keep=0)
    (recorded,) = store.commit(Commit("shop", 1.0, events=(event,)))
    assert recorded.number == 6


def test_followers_of_a_restored_state_get_higher_numbers(store):
    with store.transaction("restore"):
        store.events.skip_to(500)
    (recorded,) = store.commit(Commit("shop", 1.0, events=((1, ReplicaReady(ReplicaId("web/aa/0"))),)))
    assert recorded.number == 501


def test_a_commit_that_fails_half_way_leaves_nothing(store):
    unstorable = msgspec.structs.replace(rollout(), reason="\ud800")  # no UTF-8 for it
    with pytest.raises(UnicodeEncodeError):
        store.commit(Commit("shop", 1.0, changes=(change(),), rollouts=(unstorable,)))
    assert store.changes.latest("shop") is None
    assert store.projects.names() == ()


def test_everything_is_there_after_the_process_was_killed(tmp_path):
    store = Store(tmp_path)
    store.commit(Commit("shop", 33.0, changes=(change(),), rollouts=(rollout(),)))
    # Nothing is closed, as after SIGKILL: the second store must see the commit in the write-ahead log.
    again = Store(tmp_path)
    assert again.changes.latest("shop") == change()
    assert again.meta.moment() == 33.0
    again.close()
    store.close()


def test_a_revision_has_the_settings_it_was_stored_with_last_and_can_be_forgotten(store):
    revision = applied().revisions["web"]
    calmer = msgspec.structs.replace(revision, service=msgspec.structs.replace(revision.service, stop_grace_s=60.0))
    store.commit(Commit("shop", 1.0, revisions=(revision,)))
    store.commit(Commit("shop", 1.0, revisions=(calmer,)))
    assert store.revisions.get("shop", "web", "aa11bb22") == calmer
    store.revisions.delete("shop", "web", "aa11bb22")
    assert store.revisions.all("shop") == ()


def test_a_service_that_is_gone_is_forgotten(store):
    store.commit(Commit("shop", 1.0, rollouts=(rollout(),)))
    store.commit(Commit("shop", 1.0, gone=("web",)))
    assert store.rollouts.all("shop") == {}


def test_the_database_is_in_wal_mode(store):
    other = sqlite3.connect(store.path)
    assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()
