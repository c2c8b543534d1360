"""A published port: accepts connections for one service."""

import asyncio
import socket

from midair.model.project import Port
from midair.router.embedded.downstream import Downstream
from midair.router.embedded.hub import Hub
from midair.router.embedded.service import Service
from midair.router.embedded.sniff import Sniffed
from midair.router.embedded.tcp import TcpDownstream


class Listener:
    """Owns its sockets. Connections that it accepted outlive it."""

    def __init__(self, hub: Hub, service: Service, port: Port, sockets: list[socket.socket]) -> None:
        self.hub = hub
        self.service = service
        self.port = port
        self.sockets = sockets
        self.closed = False  # connections end after the request in hand
        self._servers: list[asyncio.AbstractServer] = []

    async def start(self) -> None:
        """Accept. Duplicates are served from, so that the sockets can still be passed on."""
        for sock in self.sockets:
            self._servers.append(await self.hub.loop.create_server(self.connection, sock=sock.dup(), backlog=4096))

    async def take(self, sockets: list[socket.socket]) -> None:
        """Accept on these from now on, and on no others."""
        self.drop()
        self.sockets = sockets
        await self.start()

    def drop(self) -> None:
        """Let go of the sockets; who made them has ended, and others will come."""
        self.stop(closed=self.closed)
        self.sockets = []

    def stop(self, *, closed: bool = True) -> None:
        """Accept no more. Not `closed`: a successor goes on accepting from the same sockets."""
        self.closed = closed
        for server in self._servers:
            server.close()
        for sock in self.sockets:
            sock.close()
        self._servers.clear()

    def connection(self) -> asyncio.Protocol:
        """A protocol for a connection that was accepted."""
        if self.port.protocol == "tcp":
            return TcpDownstream(self)
        return Sniffed(self) if self.port.inside else Downstream(self)
