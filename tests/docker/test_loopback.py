"""Listeners that only their own container reaches are told from those that everybody reaches."""

import os
import socket

import pytest

from midair.runtime.docker.loopback import is_loopback, loopback_ports


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


def test_port_at_every_address_is_no_loopback_port():
    with socket.create_server(("127.0.0.1", 0)) as own, socket.create_server(("0.0.0.0", 0)) as others:
        found = loopback_ports(os.getpid())
        assert own.getsockname()[1] in found
        assert others.getsockname()[1] not in found
    assert loopback_ports(0) == ()
