"""Settings live in the daemon's home: they outlast the shell that typed them, and every daemon."""

import os
import signal
import socket
import urllib.error
import urllib.request

import pytest
from tests.e2e.place import free_port

from midair.client.home import has_daemon
from midair.daemon import settings
from midair.daemon.flags import read_tokens
from midair.errors import DaemonTrouble, UsageRefused


def answers(port):
    """Whether OFREP is served there, with whatever answer."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ofrep/v1/configuration", timeout=5).close()
    except urllib.error.HTTPError as answer:
        answer.close()
        return True
    except OSError:
        return False
    return True


def kill(client):
    os.kill(client.health().pid, signal.SIGKILL)
    while has_daemon(client.home):
        pass


def test_listener_comes_back_after_a_kill(client):
    client.ensure_daemon()
    port = free_port()
    health = client.daemon_set({"flags.listen": f"127.0.0.1:{port}"})
    assert health.settings == {"flags.listen": f"127.0.0.1:{port}"}
    assert answers(port)
    kill(client)
    assert not answers(port)
    client.ensure_daemon()
    assert answers(port)
    client.daemon_set({"flags.listen": ""})
    assert not answers(port)


def test_environment_variable_becomes_a_setting_once(client, monkeypatch):
    port = free_port()
    monkeypatch.setenv("MIDAIR_FLAGS_LISTEN", f"127.0.0.1:{port}")
    client.ensure_daemon()
    monkeypatch.delenv("MIDAIR_FLAGS_LISTEN")
    assert answers(port)
    assert client.daemon_restart().settings == {"flags.listen": f"127.0.0.1:{port}"}
    assert answers(port)
    client.daemon_set({"flags.listen": ""})
    monkeypatch.setenv("MIDAIR_FLAGS_LISTEN", f"127.0.0.1:{port}")
    kill(client)
    client.ensure_daemon()
    assert not answers(port)


def test_taken_address_leaves_the_old_one_served(client):
    client.ensure_daemon()
    port = free_port()
    client.daemon_set({"flags.listen": f"127.0.0.1:{port}"})
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(DaemonTrouble, match="already in use"):
        client.daemon_set({"flags.listen": f"127.0.0.1:{taken.getsockname()[1]}"})
    assert answers(port)
    assert client.health().settings == {"flags.listen": f"127.0.0.1:{port}"}


def test_settings_reach_the_home_of_their_owner_alone(client):
    client.ensure_daemon()
    client.daemon_set({"flags.listen": ""})
    assert (client.home / settings.FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"flags.listne": "127.0.0.1:1"}, "there is no such setting"),
        ({"flags.listen": "8016"}, "should be HOST:PORT"),
        ({"flags.listen": "127.0.0.1:99999"}, "should be HOST:PORT"),
        ({"flags.listen": "::1:8016"}, "should be HOST:PORT"),
        ({"flags.listen": "0.0.0.0:8016"}, "others than this machine reach it"),
        ({"flags.sync": "shop.example:8015"}, "others than this machine reach it"),
    ],
)
def test_unsafe_or_unknown_settings_are_refused(wanted, message):
    with pytest.raises(UsageRefused, match=message):
        settings.changed({}, wanted)


def test_open_address_needs_a_token_file():
    after = settings.changed({"flags.tokens": "/etc/tokens"}, {"flags.listen": "0.0.0.0:8016"})
    assert settings.open_addresses(after) == ()
    with pytest.raises(UsageRefused, match="no tokens"):
        settings.changed(after, {"flags.tokens": ""})


def test_adopted_open_address_is_kept_and_reported():
    adopted = settings.adopted({}, {"MIDAIR_FLAGS_LISTEN": "0.0.0.0:8016", "MIDAIR_FLAGS_SYNC": ""})
    assert adopted == {"flags.listen": "0.0.0.0:8016"}
    assert settings.open_addresses(adopted) == ("flags.listen",)
    assert settings.adopted({"flags.listen": ""}, {"MIDAIR_FLAGS_LISTEN": "0.0.0.0:8016"}) == {}


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / settings.FILE).write_text("{")
    with pytest.raises(DaemonTrouble, match=settings.FILE):
        settings.read(tmp_path)


def test_broken_line_of_tokens_is_named(tmp_path):
    (tmp_path / "tokens").write_text("secret shop\nsecret\n")
    with pytest.raises(DaemonTrouble) as refused:
        read_tokens(str(tmp_path / "tokens"))
    assert refused.value.message == f'cannot read tokens from "{tmp_path}/tokens": line 2 has 1 words instead of 2'
