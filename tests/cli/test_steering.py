"""What the commands that steer, and those about midair itself, print."""

import json

import click
import pytest
from tests.cli import views

from midair.cli.main import STEERING, cli
from midair.view.daemon import BackupView, Done

# A server, a show, systemd's unit, and lines that were never anything but text.
NO_JSON = {"exec", "run", "serve", "demo", "daemon install", "daemon uninstall", "daemon logs", "completion"}


@pytest.fixture
def shop(daemon):
    """A control plane that does what it is asked to."""
    daemon.answers |= {
        "GET /v1/health": views.health(),
        "GET /v1/projects/shop": views.project(),
        "POST /v1/projects/shop/services/web/wish": Done("asked for"),
        "POST /v1/projects/shop/router/restart": Done("restarted"),
        "POST /v1/backup": BackupView("/srv/midair.backup", 1_000_000, ("shop",)),
        "POST /v1/restore": BackupView("/srv/midair.backup", 1_000_000, ("shop",)),
        "POST /v1/daemon/stop": Done("it ends"),
    }
    return daemon


def _all_commands(group, path=()):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from _all_commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_can_print_json():
    without = {
        name
        for name, command in _all_commands(cli)
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == NO_JSON


@pytest.mark.parametrize("wish", STEERING)
def test_a_wish_is_told_to_people_and_to_programs(shop, midair, wish):
    code, out, err = midair("-p", "shop", wish, "web")
    assert (code, err) == (0, "")
    assert out.startswith("web    ")
    code, out, err = midair("-p", "shop", wish, "web", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"type": "wish", "wish": wish, "project": "shop", "service": "web"}
    assert [body for what, _, body in shop.asked if what.endswith("/wish")] == [{"wish": wish}] * 2


def test_what_is_asked_of_midair_itself_is_answered_in_json(shop, midair, tmp_path):
    (tmp_path / "midair.backup").touch()
    file = str(tmp_path / "midair.backup")
    assert json.loads(midair("daemon", "start", "--json")[1])["pid"] == 4100
    assert json.loads(midair("daemon", "backup", file, "--json")[1])["projects"] == ["shop"]
    assert json.loads(midair("daemon", "restore", file, "--json")[1])["bytes"] == 1_000_000
    assert json.loads(midair("-p", "shop", "router", "restart", "--json")[1])["pid"] == 4101
    assert json.loads(midair("daemon", "stop", "--json")[1]) is None
