"""Files that outlive a release: what is asked about, what is moved, and what an upgrade of midair leaves alone."""

from msgspec.structs import replace

from midair.model.plan import Written
from midair.model.project import Link
from midair.plan import build, revision_of, with_written
from midair.plan.links import kept_revision

SHARED = (Link("db.sqlite3"), Link("media/"))


def shared(service, *links):
    return replace(service, links=links, shared_place="code", extension={"shared": [link.path for link in links]})


def asked(before, project, written, release="r2"):
    services = project.services
    plan, after = build(before, project, dict.fromkeys(services, release))
    return [one for one in with_written(plan, before, after, {"r1": written}).confirmations if one.kind == "data"]


def test_files_written_into_a_release_are_asked_about(web, project, applied):
    written = Written({"db.sqlite3": 1, "media/": 12})
    (one,) = asked(applied(web, web="r1"), project(web), written)
    assert "db.sqlite3, media/ (12 files)" in one.text
    assert "shared: [db.sqlite3, media/]" in one.text
    assert asked(applied(web, web="r1"), project(web), Written()) == []


def test_a_release_that_stays_is_not_asked_about(web, project, applied):
    assert asked(applied(web, web="r1"), project(replace(web, user="app")), Written({"db": 1}), "r1") == []


def test_files_that_become_shared_are_not_asked_about(web, project, applied):
    written = Written({"db.sqlite3": 1, "db.sqlite3-wal": 1, "media/avatars/": 2})
    assert asked(applied(web, web="r1"), project(shared(web, *SHARED)), written) == []
    (one,) = asked(applied(web, web="r1"), project(shared(web, Link("media/"))), written)
    assert "db.sqlite3" in one.text
    assert "avatars" not in one.text


def test_what_is_no_longer_shared_is_asked_about(web, project, applied):
    before = build(applied(web, web="r1"), project(shared(web, *SHARED)), {"web": "r2"})[1]
    (one,) = asked(before, project(shared(web, Link("media/"))), Written(), "r3")
    assert one.text.startswith("no longer shares db.sqlite3:")
    assert asked(before, project(web), Written(), "r1") == []  # where the move has left a link


def test_a_volume_of_midair_takes_files_in_and_a_bind_does_not(web, project, applied):
    written, before = Written({"data/": 2}), applied(web, web="r1")
    volume = Link("data/", volume="data", target="./data")
    assert asked(before, project(replace(web, links=(volume,))), written) == []
    bind = Link("data", source="/srv/data", target="./data")
    assert len(asked(before, project(replace(web, links=(bind,))), written)) == 1


def test_a_shared_file_that_lost_its_link_is_asked_about(web, project, applied):
    declared = shared(web, Link("state.json"))
    (one,) = asked(applied(declared, web="r1"), project(declared), Written({"state.json": 1}))
    assert "state.json" in one.text


def test_services_of_one_release_are_asked_about_once(web, project, applied):
    worker = replace(web, name="worker", ports=())
    (one,) = asked(applied(web, worker, web="r1", worker="r1"), project(web, worker), Written({"db": 1}))
    assert one.text.startswith("wrote into its release, as did worker: db;")


def test_a_release_too_large_to_look_through_is_asked_about(web, project, applied):
    (one,) = asked(applied(web, web="r1"), project(web), Written(is_whole=False))
    assert "too many files" in one.text


def test_everything_old_ends_before_files_are_moved(web, project, applied):
    before = applied(web, web="r1")
    plan, after = build(before, project(shared(web, *SHARED)), {"web": "r1"})
    assert (after.project.services["web"].moves, plan.steps[0].field_class) == (True, "recreate")
    assert "all 3 replicas at once, stop-first" in plan.steps[0].how
    assert any("become shared and are moved" in text for text in plan.warnings)
    assert after.revisions["web"].earlier == ("r1",)
    later, after = build(after, project(shared(web, *SHARED)), {"web": "r2"})
    assert (after.project.services["web"].moves, later.steps[0].field_class) == (False, "replace")
    assert after.revisions["web"].earlier == ("r1",)
    assert any("use db.sqlite3 side by side" in text for text in later.warnings)


def test_files_are_not_moved_under_another_service(web, project, applied):
    worker = replace(web, name="worker", ports=())
    before = applied(web, worker, web="r1", worker="r1")
    alone = build(before, project(shared(web, *SHARED), worker), {"web": "r2", "worker": "r1"})[0]
    assert len(alone.refusals) == 1
    assert "worker runs in the same release" in alone.refusals[0]
    both = project(shared(web, *SHARED), shared(worker, *SHARED))
    assert build(before, both, {"web": "r2", "worker": "r2"})[0].refusals == ()


def test_the_last_release_before_a_down_is_looked_in(web, project):
    after = build(None, project(shared(web, *SHARED)), {"web": "r2"}, left={"web": "r1"})[1]
    assert after.revisions["web"].earlier == ("r1",)


def test_links_inside_each_other_are_refused(web, project):
    plan = build(None, project(shared(web, Link("media/"), Link("media/avatars/"))), {"web": "r1"})[0]
    assert any("one is inside the other" in text for text in plan.refusals)


def test_linked_volumes_are_part_of_a_revision_and_others_are_not(web):
    mounted = replace(web, fields={**web.fields, "volumes": [{"type": "bind", "source": "/d", "target": "./data"}]})
    linked = replace(mounted, links=(Link("data", source="/d", target="./data"),))
    assert revision_of(web, "r1").id == revision_of(mounted, "r1").id != revision_of(linked, "r1").id


def test_an_upgrade_replaces_nothing_for_links(web, project, applied):
    mounted = replace(web, fields={**web.fields, "volumes": [{"type": "bind", "source": "/d", "target": "./data"}]})
    linked = replace(mounted, links=(Link("data", source="/d", target="./data"),))
    before = applied(mounted, web="r1")  # as the version before links made it
    plan, after = build(before, project(linked), {"web": "r1"})
    assert plan.is_empty
    assert after.revisions["web"].id == before.revisions["web"].id
    assert after.revisions["web"].service.links == ()  # what runs has none
    changed = build(before, project(replace(linked, user="app")), {"web": "r1"})[1]
    assert changed.revisions["web"].service.links == linked.links
    assert kept_revision(revision_of(linked, "r1"), before.revisions["web"], {}, None).id == before.revisions["web"].id


def test_volumes_that_are_linked_are_named_and_others_have_no_effect(web, project):
    volumes = [{"type": "bind", "source": "/d", "target": path} for path in ("./data", "/var/lib/x")]
    linked = replace(
        web, fields={**web.fields, "volumes": volumes}, links=(Link("data", source="/d", target="./data"),)
    )
    plan = build(None, project(linked), {"web": "r1"})[0]
    assert "web: linked into each release: data → /d" in plan.notes
    assert "without effect on plain processes: web (volumes at /var/lib/x)" in plan.warnings
