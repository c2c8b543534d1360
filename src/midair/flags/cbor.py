"""The canonical bytes of a JSON value (RFC 8949, deterministic), which `fractional` v3 hashes."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

UNSIGNED, NEGATIVE, TEXT, ARRAY, MAP, TAG = 0x00, 0x20, 0x60, 0x80, 0xA0, 0xC0
LARGEST = 2**64 - 1


def head(kind: int, size: int) -> bytes:
    if size < 24:
        return bytes((kind | size,))
    if size < 0x100:
        return bytes((kind | 24, size))
    if size < 0x10000:
        return struct.pack(">BH", kind | 25, size)
    if size < 0x100000000:
        return struct.pack(">BI", kind | 26, size)
    return struct.pack(">BQ", kind | 27, size)


def encode(value: Any) -> bytes:
    """Raises ValueError for what JSON has no value for."""
    if isinstance(value, str):
        data = value.encode()
        return head(TEXT, len(data)) + data
    if value is None or isinstance(value, bool):
        return b"\xf6" if value is None else b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, float):
        return _fraction(value)
    if isinstance(value, (list, tuple)):
        return head(ARRAY, len(value)) + b"".join([encode(item) for item in value])
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return head(MAP, len(pairs)) + b"".join([key + item for key, item in pairs])
    raise ValueError(f"cannot encode a {type(value).__name__}")


def _whole(value: int) -> bytes:
    kind, size = (UNSIGNED, value) if value >= 0 else (NEGATIVE, -1 - value)
    if size <= LARGEST:
        return head(kind, size)
    data = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return head(TAG, 2 if kind == UNSIGNED else 3) + head(0x40, len(data)) + data


def _fraction(value: float) -> bytes:
    """The shortest form that keeps the value; 3.0 is written as 3, as other languages know no difference."""
    if value != value:
        return b"\xf9\x7e\x00"
    if value.is_integer() and -(2**63) <= value <= LARGEST:
        return _whole(int(value))
    for form in (">Be", ">Bf"):
        try:
            data = struct.pack(form, 0xF9 if form == ">Be" else 0xFA, value)
        except OverflowError:
            continue
        if struct.unpack(form, data)[1] == value:
            return data
    return struct.pack(">Bd", 0xFB, value)
