"""Several files: what merging, `extends`, `include`, profiles and env files refuse and allow."""

import pytest


def test_a_later_file_may_say_less(compose):
    project = compose("services: {web: {image: x, ports: ['80:80']}}", "services: {web: }")
    assert project.services["web"].image == "x"


def test_problems_of_all_files_are_told_with_their_places(refusal):
    assert refusal("services: {web: {image: 5}}", "services: {web: {imge: x}}", files={}) == [
        'compose.yaml:1:25 services.web.image: should be text, got 5; put it in quotes',
        'compose1.yaml:1:18 services.web.imge: unknown field, did you mean "image"?',
    ]  # fmt: skip


def test_a_value_of_a_merged_file_is_placed_in_the_file_that_said_it(refusal):
    assert refusal("services: {web: {image: x}}", "services:\n  web:\n    stop_signal: SIGNO") == [
        'compose1.yaml:3:18 services.web.stop_signal: should be a signal such as "SIGTERM" or "SIGINT", got "SIGNO"'
    ]


def test_a_file_that_cannot_be_read_is_told(refusal):
    assert refusal("services: {web: {extends: {file: gone.yaml, service: x}}}") == [
        'compose.yaml:1:34 services.web.extends.file: cannot read "gone.yaml": no such file or directory'
    ]
    assert refusal("services: {web: {image: x}}\ninclude: [gone.yaml]") == [
        'compose.yaml:2:11 include[0]: cannot read "gone.yaml": no such file or directory'
    ]


def test_a_service_of_another_file_that_is_not_there_is_told(refusal):
    files = {"common.yaml": "services: {worker: {image: x}}"}
    assert refusal("services: {web: {extends: {file: common.yaml, service: wroker}}}", files=files) == [
        'compose.yaml:1:56 services.web.extends: there is no service "wroker" in "common.yaml", did you mean "worker"?'
    ]


def test_files_that_extend_each_other_in_a_circle_are_told(refusal):
    files = {
        "a.yaml": "services: {x: {extends: {file: b.yaml, service: x}}}",
        "b.yaml": "services: {x: {extends: {file: a.yaml, service: x}}}",
    }
    told = refusal("services: {web: {extends: {file: a.yaml, service: x}}}", files=files)
    assert told == ["b.yaml:1:49 services.x.extends: goes in a circle: x -> x -> x"]


def test_a_long_chain_of_extends_is_refused(refusal):
    chain = "".join(f"  s{n}: {{extends: s{n + 1}}}\n" for n in range(200))
    told = refusal(f"services:\n{chain}  s200: {{image: x}}\n")
    assert "extends more than 50 services, one after the other" in told[0]


def test_files_that_include_each_other_are_told(refusal):
    files = {"a.yaml": "include: [compose.yaml]\nservices: {a: {image: x}}"}
    assert refusal("include: [a.yaml]\nservices: {web: {image: x}}", files=files) == [
        'a.yaml:1:11 include[0]: goes in a circle: "compose.yaml" -> "a.yaml" -> "compose.yaml"'
    ]


def test_an_included_name_that_is_taken_is_told_unless_it_says_the_same(compose, refusal):
    files = {"a.yaml": "services: {db: {image: one}}\nvolumes: {d: }"}
    assert refusal("include: [a.yaml]\nservices: {db: {image: two}}", files=files) == [
        'compose.yaml:2:12 services.db: is also in the included file "a.yaml", and says something else'
    ]
    same = compose("include: [a.yaml]\nservices: {db: {image: one}}\nvolumes: {d: }", files=files)
    assert list(same.services) == ["db"]


def test_an_override_file_may_change_what_was_included(compose):
    files = {"a.yaml": "services: {db: {image: one}}"}
    project = compose("include: [a.yaml]", "services: {db: {image: two}}", files=files)
    assert project.services["db"].image == "two"


def test_an_env_file_that_is_not_required_may_be_missing(compose, refusal):
    assert compose("services: {web: {image: x, env_file: [{path: gone.env, required: false}]}}")
    assert refusal("services: {web: {image: x, env_file: gone.env}}") == [
        'compose.yaml:1:38 services.web.env_file[0]: cannot read "gone.env": no such file or directory'
    ]


def test_a_bad_line_of_an_env_file_is_placed_in_that_file(refusal):
    assert refusal("services: {web: {image: x, env_file: a.env}}", files={"a.env": "A=1\nB C=2\n"}) == [
        'a.env:2:1 should be NAME=value, got "B C" before the ='
    ]


def test_later_env_files_and_the_environment_win(compose):
    project = compose(
        "services: {web: {image: x, env_file: [a.env, b.env], environment: {C: here}}}",
        files={"a.env": "A=a\nB=a\nC=a", "b.env": "B=b$A$C"},
    )
    assert project.services["web"].environment == {"A": "a", "B": "bahere", "C": "here"}


@pytest.mark.parametrize(
    ("profiles", "active"), [((), ["web"]), (("debug",), ["web", "debug"]), (("*",), ["web", "debug", "admin"])]
)
def test_profiles_choose_services(compose, profiles, active):
    text = "services: {web: {image: x}, debug: {image: x, profiles: [debug]}, admin: {image: x, profiles: [a, b]}}"
    assert list(compose(text, profiles=profiles).services) == active


def test_a_needed_service_that_is_not_active_is_told(refusal):
    text = "services: {web: {image: x, depends_on: [db]}, db: {image: x, profiles: [a, b]}}"
    assert refusal(text) == [
        'compose.yaml:1:41 services.web.depends_on.db: service "db" is not active: it needs profile "a" or "b"; '
        "write required: false, or activate it"
    ]


def test_what_is_wrong_with_an_inactive_service_is_told_too(refusal):
    text = "services: {web: {image: x}, db: {imge: x, profiles: [a]}}"
    assert refusal(text) == ['compose.yaml:1:34 services.db.imge: unknown field, did you mean "image"?']


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: x, environment: {P: [hunter2]}}}",
        "services: {web: {image: x, environment: P=hunter2}}",
        "services: {web: {image: x, environment: ['P=${ hunter2']}}",
        "services: {web: {image: x, environment: {P: '${A!hunter2}'}}}",
        "services: {web: {image: x, env_file: quote.env}}",
        "services: {web: {image: x, env_file: space.env}}",
        "services: {web: {image: x, env_file: dollar.env}}",
        "services: {web: {image: x, env_file: [{path: space.env, format: raw}]}}",
    ],
)
def test_values_that_may_be_secret_are_not_in_messages(refusal, text):
    files = {"quote.env": "P='hunter2", "space.env": "P Q=hunter2", "dollar.env": "P=a${1hunter2"}
    told = refusal(text, files=files)
    assert len(told) == 1
    assert "hunter2" not in told[0]
