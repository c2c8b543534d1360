"""WebSocket frames (RFC 6455), as much as a client needs to see how a connection ends."""

import base64
import hashlib
import os
import struct

from wire import Failed, Wire

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


async def open_websocket(wire: Wire, host: str, path: str) -> str:
    """Shake hands; the version header of the answer."""
    key = base64.b64encode(os.urandom(16))
    lines = (
        f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key.decode()}", "", "",
    )  # fmt: skip
    await wire.send("\r\n".join(lines).encode())
    answer = await wire.head()
    if answer.status != 101:
        raise Failed("upgrade", f"status {answer.status}")
    wanted = base64.b64encode(hashlib.sha1(key + _MAGIC).digest()).decode()
    if answer.headers.get("sec-websocket-accept") != wanted:
        raise Failed("upgrade", "wrong Sec-WebSocket-Accept")
    return answer.headers.get("x-version", "")


async def send_frame(wire: Wire, opcode: int, payload: bytes) -> None:
    """One whole masked frame of less than 64 kB."""
    mask = os.urandom(4)
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    await wire.send(bytes([0x80 | opcode]) + length + mask + masked)


async def read_frame(wire: Wire) -> tuple[int, bytes]:
    """Opcode and payload of the next frame; a connection that ends without one is a failure."""
    first, second = await wire.exactly(2, "frame")
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack("!H", await wire.exactly(2, "frame"))
    elif size == 127:
        (size,) = struct.unpack("!Q", await wire.exactly(8, "frame"))
    return first & 0x0F, await wire.exactly(size, "frame")


def close_code(payload: bytes) -> int:
    """The code of a close frame; 1005 when it has none."""
    return int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
