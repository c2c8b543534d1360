"""What a process is given, and what is said about it."""

from midair.model.project import Revision, Service
from midair.runtime.process.translate import MARK, arguments, environment, exit_text, given, slim, substituted

VALUES = given("web/7f3a91c2/0", Revision("7f3a91c2", Service(name="web")), 61000)


def test_only_what_midair_gives_is_replaced_in_arguments():
    words = (
        "--port=$PORT",
        "${PORT}",
        "$MIDAIR_REPLICA",
        "$PORTS",
        "$HOME",
        "${HOME}",
        "$$PORT",
        "a$",
        "$MIDAIR_SERVICE.x",
    )
    expected = ("--port=61000", "61000", "web/7f3a91c2/0", "$PORTS", "$HOME", "${HOME}", "$61000", "a$", "web.x")
    assert substituted(words, VALUES) == expected


def test_the_service_overrides_the_shell_and_midair_overrides_both():
    service = Service(name="web", environment={"LANG": "C", "PORT": "8000"})
    made = environment({"LANG": "de", "PATH": "/bin", "PWD": "/x", "SHLVL": "3"}, service, VALUES, "mark")
    assert made == {"LANG": "C", "PATH": "/bin", **VALUES, MARK: "mark"}
    assert made["PORT"] == "61000"


def test_the_command_follows_the_entrypoint():
    assert arguments(Service(name="web", entrypoint=("a", "b"), command=("c",))) == ("a", "b", "c")
    assert arguments(Service(name="web")) == ()


def test_a_record_does_not_carry_the_whole_file():
    revision = Revision("7f3a91c2", Service(name="web", fields={"image": "x"}, extension={"a": 1}, command=("c",)))
    assert slim(revision).service == Service(name="web", command=("c",))


def test_an_exit_is_told_in_words():
    assert exit_text(3, ("app",), False) == "exited with code 3"
    assert exit_text(-9, ("app",), True) == "killed by SIGKILL"
    assert exit_text(-64, ("app",), True) == "killed by signal 64"
    assert exit_text(127, ("app",), False) == 'exited with code 127: command "app" was not found'
    assert exit_text(127, ("app",), True) == "exited with code 127"
    assert "not known" in exit_text(None, ("app",), True)
