"""Ports inside a project: HTTP is routed request by request, anything else is passed on as bytes."""

import asyncio
import contextlib
import socket
import types

import pytest

from midair.model.project import Port
from midair.router.embedded import sniff
from midair.router.embedded.downstream import Downstream
from midair.router.embedded.sockets import bind
from midair.router.embedded.tcp import TcpDownstream


class Transport(asyncio.Transport):
    """Remembers which protocol it was given."""

    def __init__(self):
        super().__init__()
        self.protocol = None

    def is_closing(self):
        return False

    def set_protocol(self, protocol):
        self.protocol = protocol


class Taken:
    """Stands for what takes a connection over."""

    def __init__(self, listener):
        self.data = b""

    def connection_made(self, transport):
        self.made = True

    def data_received(self, data):
        self.data += data


class Http(Taken):
    pass


class Bytes(Taken):
    pass


def sniffed(monkeypatch, *parts):
    """What the parts of a connection's beginning lead to."""
    monkeypatch.setattr(sniff, "Downstream", Http)
    monkeypatch.setattr(sniff, "TcpDownstream", Bytes)

    async def run():
        listener = types.SimpleNamespace(hub=types.SimpleNamespace(loop=asyncio.get_running_loop(), timed=set()))
        transport, protocol = Transport(), sniff.Sniffed(listener)
        protocol.connection_made(transport)
        for part in parts:
            (transport.protocol or protocol).data_received(part)
        if transport.protocol is None:
            await asyncio.sleep(sniff._SILENT_S + 0.1)
        return type(transport.protocol), transport.protocol.data

    return asyncio.run(run())


@pytest.mark.parametrize(
    "parts", [(b"GET / HTTP/1.1\r\n",), (b"P", b"OST /x HTTP/1.1\r\n"), (b"PR", b"OPFIND / HTTP/1.1\r\n")]
)
def test_what_begins_like_http_is_routed_as_http(monkeypatch, parts):
    assert sniffed(monkeypatch, *parts) == (Http, b"".join(parts))


@pytest.mark.parametrize(
    "parts", [(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",), (b"PR", b"I * HTTP/2.0"), (b"\x00\x03",), (b"hello",)]
)
def test_anything_else_is_passed_on(monkeypatch, parts):
    assert sniffed(monkeypatch, *parts) == (Bytes, b"".join(parts))


def test_a_client_that_waits_to_be_spoken_to_is_passed_on(monkeypatch):
    monkeypatch.setattr(sniff, "_SILENT_S", 0.01)
    assert sniffed(monkeypatch) == (Bytes, b"")


def test_the_real_protocols_are_the_ones_that_take_over():
    assert sniff.Downstream is Downstream
    assert sniff.TcpDownstream is TcpDownstream


def test_a_name_may_have_a_port_that_another_service_publishes_everywhere():
    with contextlib.ExitStack() as opened:
        published = [opened.enter_context(sock) for sock in bind(Port(port=free_port(), target=80))]
        port = published[0].getsockname()[1]
        inside = bind(Port(port=port, target=80, host="127.0.0.2", inside=True))
        for sock in inside:
            opened.enter_context(sock)
        client = opened.enter_context(socket.create_connection(("127.0.0.2", port), 5))
        inside[0].setblocking(True)
        inside[0].settimeout(5)
        accepted, peer = inside[0].accept()
        opened.enter_context(accepted)
        assert peer == client.getsockname()


def test_a_published_port_is_never_shared():
    with contextlib.ExitStack() as opened:
        port = free_port()
        for sock in bind(Port(port=port, target=80)):
            opened.enter_context(sock)
        with pytest.raises(OSError, match="in use"):
            bind(Port(port=port, target=80))


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]
