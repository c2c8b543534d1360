from msgspec.structs import replace

from midair.plan import build, emptied, scaled


def test_an_unchanged_file_keeps_what_scale_set_and_names_it(web, project, applied):
    made, after = build(scaled(applied(web), "web", 6), project(web), {})
    assert made.is_empty
    assert made.drift == ("web: 6 replicas, set by scale (the file says 3)",)
    assert after.project.services["web"].replicas == 6


def test_the_file_wins_once_it_says_something_new(web, project, applied):
    made, after = build(scaled(applied(web), "web", 6), project(replace(web, replicas=4)), {})
    assert (made.steps[0].replicas_before, made.steps[0].replicas_after) == (6, 4)
    assert made.drift == ()
    assert after.overrides == ()


def test_another_change_of_the_file_keeps_the_count_that_scale_set(web, project, applied):
    made, after = build(scaled(applied(web), "web", 6), project(replace(web, user="app")), {})
    assert after.project.services["web"].replicas == 6
    assert made.steps[0].field_class == "replace"
    assert [change.path for change in made.steps[0].changes] == ["user"]


def test_scaling_back_to_what_the_file_says_leaves_no_override(web, applied):
    assert scaled(scaled(applied(web), "web", 6), "web", 3) == applied(web)


def test_scaling_twice_remembers_what_the_file_said_first(web, project, applied):
    twice = scaled(scaled(applied(web), "web", 6), "web", 7)
    assert build(twice, project(web), {})[1].project.services["web"].replicas == 7


def test_a_removed_service_takes_its_override_along(web, db, project, applied):
    made, after = build(scaled(applied(web, db), "web", 6), project(db), {})
    assert after.overrides == ()
    assert made.drift == ()


def test_undoing_goes_back_to_the_overrides_of_that_time(web, project, applied):
    then = scaled(applied(web), "web", 6)
    _, now = build(then, project(replace(web, replicas=4)), {})
    assert now.overrides == ()
    assert build(then, project(web), {})[1].overrides == then.overrides


def test_down_leaves_the_project_with_no_service(web, applied):
    down = emptied(applied(web))
    assert down.project.name == "shop"
    assert down.project.services == down.revisions == {}


def test_a_partial_up_keeps_a_service_that_the_file_has_lost(web, db, project, applied):
    made, after = build(applied(web, db), project(web), {}, only=("web",))
    assert made.is_empty
    assert set(after.project.services) == {"web", "db"}
