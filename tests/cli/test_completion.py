"""What a shell offers to complete, by the program that its script calls."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from tests.cli import views

from midair.cli.main import run
from midair.view.flag import FlagSetView, FlagView

FILE = "services: {api: {command: serve}, worker: {command: work}}"


@pytest.fixture
def offered(monkeypatch, capsys):
    """What is offered for the last word of a line."""

    def complete(line):
        monkeypatch.setenv("_MIDAIR_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(line.split(" ")) - 1))
        with pytest.raises(SystemExit) as ended:
            run([])
        out, err = capsys.readouterr()
        assert (ended.value.code, err) == (0, "")
        return [entry.partition(",")[2] for entry in out.splitlines() if entry]

    return complete


@pytest.fixture
def shop(daemon):
    flag = FlagView("new-button", "ENABLED", "nobody", {"variants": {"on": True, "off": False}}, {})
    daemon.answers |= {
        "GET /v1/projects": (views.summary(str(daemon.home.parent)),),
        "GET /v1/projects/shop": views.project(),
        "GET /v1/projects/shop/flags": FlagSetView("shop", "v2", (flag,)),
        "GET /v1/projects/shop/changes": (views.change(), views.change("completed", id=1, can_undo=False)),
    }
    (daemon.home.parent / "compose.yaml").write_text(FILE)
    return daemon


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("midair ren", ["rename"]),
        ("midair daemon resto", ["restore"]),
        ("midair logs --ta", ["--tail"]),
        ("midair logs ", ["web", "api"]),
        ("midair pause w", ["web"]),
        ("midair restart a", ["api"]),
        ("midair up ", ["api", "worker"]),
        ("midair up api ", ["worker"]),
        ("midair scale -p shop we", ["web="]),
        ("midair flag on new", ["new-button"]),
        ("midair flag set new-button o", ["on", "off"]),
        ("midair undo ", ["2"]),
        ("midair events --change ", ["2", "1"]),
        ("midair rename ", ["shop"]),
        ("midair status -p s", ["shop"]),
    ],
)
def test_names_are_completed(shop, offered, line, names):
    assert offered(line) == names


def test_files_are_left_to_the_shell(shop, offered):
    assert offered("midair up -f comp") == ["comp"]


def test_completing_starts_no_daemon(offered, monkeypatch, tmp_path):
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert offered("midair logs ") == []
    assert os.listdir(tmp_path) == []


def test_a_silent_daemon_is_not_waited_for(offered, monkeypatch, tmp_path):
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "api.sock"))
        listener.listen()
        began = time.monotonic()
        assert offered("midair logs -p shop ") == []
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(midair, shell):
    code, out, err = midair("completion", shell)
    assert (code, err) == (0, "")
    assert f"_MIDAIR_COMPLETE={shell}_complete" in out
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=out, text=True, check=True)
