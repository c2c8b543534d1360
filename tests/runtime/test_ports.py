"""Ports of replicas keep away from what others use."""

import socket

import pytest

from midair.errors import RuntimeTrouble
from midair.runtime.process import ports
from midair.runtime.process.ports import free_port, port_ranges


def test_ports_outside_the_kernels_own_range_come_first():
    assert port_ranges((32768, 60999)) == [range(61000, 65536), range(20000, 32768), range(32768, 61000)]
    assert port_ranges((32768, 65000)) == [range(20000, 32768), range(65001, 65536), range(32768, 65001)]
    assert port_ranges((1024, 65535)) == [range(1024, 65536)]


def test_a_port_is_free_and_not_taken(monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        used = listener.getsockname()[1]
        monkeypatch.setattr(ports, "port_ranges", lambda _: [range(used, used + 1)])
        with pytest.raises(RuntimeTrouble, match="every one is taken"):
            free_port(())
    assert free_port(()) == used
    with pytest.raises(RuntimeTrouble):
        free_port({used})
