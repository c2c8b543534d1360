"""Listening sockets: bound, or checked whether they could be."""

import contextlib
import errno
import os
import select
import socket

from midair.model.project import Port
from midair.router.embedded.port_holder import holder_of

_BACKLOG = 4096
_ALIVE = {socket.TCP_KEEPIDLE: 120, socket.TCP_KEEPINTVL: 30, socket.TCP_KEEPCNT: 4}  # seconds, seconds, times


def bind(port: Port, *, shared: bool = False) -> list[socket.socket]:
    """Sockets that listen on a published port, on every address it means. Raises OSError, naming the address.

    `shared`: this router listens on the same number already, on other addresses that may be among these.
    """
    if port.protocol == "udp":
        raise OSError(errno.EPROTONOSUPPORT, "the embedded router does not route UDP")
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(port):
            try:
                sockets.append(_listen(family, address, port.port, shared=port.inside or shared))
            except OSError as error:
                if port.host or not _is_missing(family, error):
                    raise OSError(error.errno, os.strerror(error.errno or 0)) from error
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def reason(port: Port, error: OSError) -> str:
    """Why a port could not be listened on, for people."""
    host = f"[{port.host}]" if ":" in port.host else port.host
    place = f"{host}:{port.port}" if port.host else str(port.port)
    holder = holder_of(port.port) if error.errno == errno.EADDRINUSE else ""
    by = f" by {holder}" if holder else ""
    return f'cannot listen on port "{place}": {(error.strerror or str(error)).lower()}{by}'


def _addresses(port: Port) -> list[tuple[socket.AddressFamily, str]]:
    if not port.host:
        return [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
    found = socket.getaddrinfo(port.host, port.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list({(family, str(address[0])): None for family, _, _, _, address in found})


def _listen(family: socket.AddressFamily, address: str, port: int, *, shared: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Each connection inherits this: a client that vanished without a word is noticed, however quiet it was before.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _ALIVE.items():
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        # Names inside a project have addresses of their own, at which a port may be listened on although another
        # service publishes the same one on every address. The kernel lets both be if both agree to share; agreeing
        # only after binding keeps a published port from being shared with anybody else's.
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _is_missing(family: socket.AddressFamily, error: OSError) -> bool:
    """Machines without IPv6 are served on IPv4 alone."""
    return family == socket.AF_INET6 and error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def is_gone(sock: socket.socket) -> bool:
    """True when the other side has reset the connection, which nobody is told who does not read."""
    poll = select.poll()
    poll.register(sock.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def is_quiet(sock: socket.socket) -> bool:
    """True when there is nothing to read: neither bytes nor an end that has not been noticed yet."""
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return not poll.poll(0)


def reset(sock: socket.socket | None) -> None:
    """Make the coming close a reset, so that the other side can't take it for an end."""
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
