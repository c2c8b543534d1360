"""`midair config` shows what the files mean, without a daemon and without what is secret."""

import json

import pytest

from midair.cli.main import run

FILE = """
services:
  web:
    image: web:${TAG:-1}
    env_file: web.env
    command: echo $$HOME
    secrets: [key, token]
    depends_on: [db]
    x-midair: {drain: {timeout: 3s}}
  db: {image: postgres}
  worker: {image: worker}
secrets:
  key: {file: key.txt}
  token: {environment: TOKEN}
"""


@pytest.fixture
def shop(tmp_path, monkeypatch):
    (tmp_path / "compose.yaml").write_text(FILE)
    (tmp_path / "web.env").write_text("COLOUR=red\n")
    (tmp_path / "key.txt").write_text("hidden1")
    monkeypatch.setenv("TOKEN", "hidden2")
    monkeypatch.setenv("MIDAIR_HOME", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)


def shown(capfd, *arguments):
    assert run(["config", *arguments]) == 0
    return capfd.readouterr().out


def test_config_shows_values_but_no_secrets(shop, capfd):
    fields = json.loads(shown(capfd, "--json"))
    web = fields["services"]["web"]
    assert (web["image"], web["environment"]) == ("web:1", {"COLOUR": "red"})
    assert web["command"] == ["echo", "$$HOME"]
    assert web["x-midair"] == {"drain": {"timeout": "3s"}}
    assert "hidden" not in shown(capfd) + json.dumps(fields)


def test_config_shows_chosen_services_and_what_they_need(shop, capfd):
    assert shown(capfd, "--services").split() == ["web", "db", "worker"]
    assert list(json.loads(shown(capfd, "--format", "json", "web"))["services"]) == ["web", "db"]
    assert run(["config", "nope"]) == 2
    assert 'cannot show service "nope": the file has none' in capfd.readouterr().err


def test_quiet_config_only_checks(shop, capfd, tmp_path):
    assert shown(capfd, "-q") == ""
    (tmp_path / "compose.yaml").write_text("services: {web: {imge: x}}")
    assert run(["config", "-q"]) == 2
