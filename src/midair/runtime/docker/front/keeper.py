"""PID 1 of a front: makes the listening sockets of the known ports, and keeps the rules for all others.

    keeper                                router of the machine
    "front" {service, boot}  ────────▶    knows whose front this is, and whether it is another one than before
    sockets, open flows      ◀────────    "set" {ports, shares, wait, left}
    open flows               ◀────────    "flows" {left}

The keeper connects, so a front that comes back needs no daemon. Messages are those of `router.embedded.wire`: one
line of JSON, descriptors beside it. Until a router has said where to, new flows are dropped and callers ask again.
Runs in the container, with the standard library alone.
"""

import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from midair.runtime.docker.front.flows import open_flows, release_udp
from midair.runtime.docker.front.netlink import exchange
from midair.runtime.docker.front.rules import IPV4, IPV6, transaction

SOCKET = "front.sock"
READY, FAILED = "new flows wait", "cannot set rules: "  # lines of its log, which whoever makes a front reads
_AGAIN_S = 0.1
_BACKLOG = 4096
_READ_BYTES = 65536
_FAMILIES = (IPV4, IPV6) if os.path.exists("/proc/net/if_inet6") else (IPV4,)
_ALIVE = {socket.TCP_KEEPIDLE: 120, socket.TCP_KEEPINTVL: 30, socket.TCP_KEEPCNT: 4}  # seconds, seconds, times


class Keeper:
    """Everything one front holds."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.boot = os.urandom(8).hex()  # another one: connections that were made before are dead
        self.sockets: dict[int, list[socket.socket]] = {}  # by port

    def answer(self, do: str, body: Any) -> tuple[Any, list[int]]:
        """Do what the router asks. Raises OSError with what the kernel says."""
        if do == "set":
            return self.set(body)
        if do == "flows":
            return open_flows(body["left"]), []
        raise OSError(f'cannot do "{do}": this front does not know how')

    def set(self, body: Any) -> tuple[Any, list[int]]:
        """Sockets and rules change together: a port without a rule of its own would go past the router."""
        ports, shares = body["ports"], [(address, int(weight)) for address, weight in body["shares"]]
        for port in ports:
            if port not in self.sockets:
                self.sockets[port] = listen(port)
        exchange(transaction(shares, ports, wait=body["wait"], families=_FAMILIES))
        for port in [port for port in self.sockets if port not in ports]:
            for sock in self.sockets.pop(port):
                sock.close()
        release_udp([address for address, _ in shares])
        listening = [(port, len(self.sockets[port])) for port in ports]
        descriptors = [sock.fileno() for port in ports for sock in self.sockets[port]]
        return {"listening": listening, "open": open_flows(body["left"])}, descriptors


def listen(port: int) -> list[socket.socket]:
    """Sockets on every address of this namespace, one of each family that it has."""
    sockets = []
    for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
        except OSError:
            continue  # a kernel without this family
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _ALIVE.items():
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
            sock.listen(_BACKLOG)
            sock.setblocking(False)
        except OSError:
            sock.close()
            if family == socket.AF_INET:
                raise
            continue
        sockets.append(sock)
    return sockets


def serve(keeper: Keeper, router: socket.socket) -> None:
    """Answer one router until it is gone."""
    send(router, {"do": "front", "body": {"service": keeper.service, "boot": keeper.boot}}, [])
    unread = b""
    while data := router.recv(_READ_BYTES):
        *lines, unread = (unread + data).split(b"\n")
        for line in lines:
            asked = json.loads(line)
            if not asked.get("do"):
                continue
            answer: dict[str, Any] = {"id": asked.get("id", 0)}
            descriptors: list[int] = []
            try:
                answer["body"], descriptors = keeper.answer(asked["do"], asked.get("body"))
            except OSError as error:
                answer["error"] = (error.strerror or str(error)).lower()
            send(router, answer | {"fds": len(descriptors)}, descriptors)


def send(router: socket.socket, message: dict[str, Any], descriptors: list[int]) -> None:
    """One line, with descriptors beside its first byte."""
    data = json.dumps(message).encode() + b"\n"
    sent = socket.send_fds(router, [data], descriptors)
    router.sendall(data[sent:])


def main(folder: str, service: str) -> None:
    """Keep the front of a service for as long as the container runs. `folder`: where routers listen for fronts."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    keeper = Keeper(service)
    try:
        exchange(transaction([], [], wait=True, families=_FAMILIES))
    except OSError as error:
        print(f"{FAILED}{(error.strerror or str(error)).lower()}", flush=True)
        raise SystemExit(1) from error
    print(READY, flush=True)
    while True:
        with suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as router:
            router.connect(f"{folder}/{SOCKET}")
            serve(keeper, router)
        time.sleep(_AGAIN_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
