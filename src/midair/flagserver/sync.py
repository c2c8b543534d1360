"""`flagd.sync.v1` over gRPC, so that stock in-process providers of any language evaluate these flags by themselves.

Needs the extra `midair[flagd]`. The messages are two strings and an absence, so they are written here by hand.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]

from midair.flagserver.access import ANY, Access
from midair.flagserver.hub import Hub, UnknownSet

SERVICE = "flagd.sync.v1.FlagSyncService"
LARGEST_MESSAGE = 64 * 1024 * 1024
# Protobuf's wire types.
NUMBER = 0
# Of strings and messages.
TEXT = 2
# Bytes of the types of a fixed size.
FIXED = {1: 8, 5: 4}
# provider_id and selector
KNOWN = (1, 2)


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def field(number: int, data: bytes) -> bytes:
    return varint(number << 3 | TEXT) + varint(len(data)) + data


def fields(message: bytes) -> dict[int, str]:
    """The strings of a request that are known, by number. As protobuf demands, unknown fields are skipped.

    Raises ValueError or IndexError for what is no protobuf message.
    """
    found: dict[int, str] = {}
    place = 0

    def number() -> int:
        nonlocal place
        value, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while place < len(message):
        tag = number()
        kind = tag & 7
        if kind == NUMBER:
            number()
            continue
        size = number() if kind == TEXT else FIXED[kind]
        if place + size > len(message):
            raise ValueError("ends within a field")
        if kind == TEXT and tag >> 3 in KNOWN:
            found[tag >> 3] = message[place : place + size].decode()
        place += size
    return found


class Service:
    """Streams the whole set at once and at each change."""

    def __init__(self, hub: Hub, access: Access) -> None:
        self.hub = hub
        self.access = access

    async def selector(self, request: bytes, context: Any) -> str:
        sent = {name.lower(): value for name, value in context.invocation_metadata() or ()}
        given = sent.get("authorization", "").removeprefix("Bearer ") or sent.get("x-api-key", "")
        try:
            asked = sent.get("flagd-selector") or fields(request).get(2, "")
            served = self.hub.find(asked.partition(",")[0])
        except UnknownSet as unknown:
            await context.abort(grpc.StatusCode.NOT_FOUND, self.access.explain(unknown, given))
        except (ValueError, LookupError):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the request cannot be read")
        if self.access.tokens:
            opened = self.access.opened(given)
            if opened not in (ANY, served.name):
                code = grpc.StatusCode.UNAUTHENTICATED if opened is None else grpc.StatusCode.PERMISSION_DENIED
                await context.abort(code, "this token does not open these flags")
        self.hub.uncounted.add(served.name)
        return served.name

    async def sync_flags(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        name = await self.selector(request, context)
        async for served in self.hub.changes(name):
            if served is not None:
                yield field(1, served.stock.encode())

    async def fetch_all_flags(self, request: bytes, context: Any) -> bytes:
        name = await self.selector(request, context)
        return field(1, self.hub.find(name).stock.encode())

    async def get_metadata(self, request: bytes, context: Any) -> bytes:
        """Deprecated. An empty answer ends the stock provider for Python, so it is told that there is none."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "the context comes with the flags")
        return b""


class SyncServer:
    """A gRPC server of its own: gRPC cannot share a port with the HTTP API."""

    def __init__(self, hub: Hub, access: Access | None = None) -> None:
        service = Service(hub, access or Access())
        methods: dict[str, Callable[..., Any]] = {
            "SyncFlags": grpc.unary_stream_rpc_method_handler(service.sync_flags),
            "FetchAllFlags": grpc.unary_unary_rpc_method_handler(service.fetch_all_flags),
            "GetMetadata": grpc.unary_unary_rpc_method_handler(service.get_metadata),
        }
        # Providers keep idle streams alive with pings; gRPC would take frequent ones for an attack.
        options = [
            ("grpc.max_send_message_length", LARGEST_MESSAGE),
            ("grpc.http2.min_ping_interval_without_data_ms", 1000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.so_reuseport", 0),
        ]
        self.server = grpc.aio.server(options=options)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))

    async def start(self, address: str) -> str:
        """Listens; port 0 takes a free one. Returns host and port."""
        port = self.server.add_insecure_port(address)
        await self.server.start()
        return f"{address.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        await self.server.stop(0.5)
