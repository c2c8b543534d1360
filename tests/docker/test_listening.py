"""Ports at which a container listens for others, and those at which it listens for itself."""

import os
import socket

import pytest

from midair.runtime.docker.listening import Listening, is_loopback, listening, pause_s


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("0100007F", True),
        ("350000" + "7F", True),
        ("00000000", False),
        ("0200A8C0", False),
        ("00000000000000000000000001000000", True),
        ("0000000000000000FFFF00000100007F", True),
        ("00000000000000000000000000000000", False),
    ],
)
def test_loopback_addresses_are_recognised(address, is_own):
    assert is_loopback(address) == is_own


def test_listeners_for_others_and_for_oneself_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("0.0.0.0", 0)) as others:
        found = listening(os.getpid())
        assert own.getsockname()[1] in found.loopback
        assert own.getsockname()[1] not in found.open
        assert others.getsockname()[1] in found.open
        assert others.getsockname()[1] not in found.loopback
    assert listening(0) == Listening()


def test_resolver_of_the_engine_is_no_listener_of_the_container():
    with socket.create_server(("127.0.0.11", 0)) as resolver:
        assert resolver.getsockname()[1] not in listening(os.getpid()).loopback


def test_looks_become_rarer():
    assert [pause_s(ready_for_s) for ready_for_s in (0.0, 1.0, 29.0, 3600.0)] == [0.1, 1.0, 5.0, 60.0]
