"""How the command line is spoken to, and what it says to mistakes."""

import os

import click
import pytest

from midair.cli.main import GROUPS, Commands, cli, run

COMMANDS = [name for names in GROUPS.values() for name in names]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_golden_help(midair, golden, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, err = midair(*name.split(), "--help")
    assert (code, err) == (0, "")
    golden(f"help-{name}" if name else "help", out)


def test_every_command_has_a_short_help_of_one_line():
    assert isinstance(cli, Commands)
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command.short_help
        assert len(command.short_help) <= 60
        assert not command.short_help.endswith(".")


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("stauts", 'no such command "stauts"', "did you mean midair status?"),
        ("daemon statu", 'no such command "statu"', "did you mean midair daemon status?"),
        ("fly", 'no such command "fly"', "run midair --help to see all commands"),
        ("up --jsn", 'no such option "--jsn"', "did you mean --json or --yes?"),
        ("pause", 'missing argument "SERVICE"', "see midair pause --help"),
        ("undo x", 'cannot use CHANGE "x": should be a whole number', "see midair undo --help"),
        ("up --timeout x", 'cannot use --timeout "x": should be a number', "see midair up --help"),
        ("flag bucketing v9", 'cannot use VERSION "v9": should be v2 or v3', "see midair flag bucketing --help"),
        (
            "daemon restore /nowhere",
            'cannot restore "/nowhere": no such file',
            "name one that midair daemon backup wrote",
        ),
        ("scale web=x", 'cannot scale: should be like web=3, got "web=x"', None),
    ],
)
def test_mistakes_are_answered_with_a_hint(midair, line, message, hint):
    code, out, err = midair(*line.split())
    assert (code, out) == (2, "")
    assert err == f"error: {message}\n" + (f"hint: {hint}\n" if hint else "")


@pytest.mark.parametrize("line", ["status", "ps", "history", "logs", "watch", "events", "pause web", "daemon status"])
def test_looking_starts_no_daemon(midair, line, monkeypatch, tmp_path):
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path / "home"))
    code, out, err = midair("-p", "shop", *line.split())
    assert (code, out) == (1, "")
    assert err.startswith("error: cannot reach the daemon: it is not running\nhint: ")
    assert os.listdir(tmp_path) == []


def test_a_traceback_is_shown_only_when_asked_for(midair, monkeypatch, tmp_path):
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path))
    assert "Traceback" not in midair("status")[2]
    assert "Traceback" in midair("--debug", "status")[2]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(monkeypatch, capsys, shell):
    monkeypatch.setenv("_MIDAIR_COMPLETE", f"{shell}_source")
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    assert "_midair_completion" in capsys.readouterr().out


@pytest.mark.parametrize("command", [("daemon", "logs"), ("logs",)])
def test_negative_number_of_lines_is_refused(midair, command):
    code, out, err = midair(*command, "-n", "-5")
    assert (code, out) == (2, "")
    assert "-5 is not in the range x>=0" in err


@pytest.mark.parametrize("count", ["web=²", "web=٣", "web=" + "9" * 5000, "web="])
def test_number_of_replicas_is_written_in_digits(midair, count):
    code, out, err = midair("scale", count)
    assert (code, out) == (2, "")
    assert err.startswith('error: cannot scale: should be like web=3, got "web=')


@pytest.mark.parametrize("steps", ["1,x", "nan", "-1", "101", "inf"])
def test_steps_of_a_roll_are_percentages(midair, steps):
    code, out, err = midair("flag", "roll", "new-button", f"--steps={steps}")
    assert (code, out) == (2, "")
    wrong = steps.split(",")[-1]
    wanted = 'error: cannot roll "new-button": --steps should be percentages such as "1,5,25", '
    assert err == f'{wanted}got "{wrong}"\n'
