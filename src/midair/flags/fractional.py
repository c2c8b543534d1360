"""`fractional`: which share of users gets which variant, byte for byte as flagd's generations v2 and v3 do it.

bucket = (murmur3(bytes) * total weight) >> 32; the first variant whose running sum of weights is above it.
v2 hashes flag key and targeting key as one text, v3 their canonical CBOR. Same rule, different users.
"""

from __future__ import annotations

from mmh3 import mmh3_32_uintdigest

from midair.flags import cbor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    Version = Literal["v2", "v3"]
    Bounds = tuple[tuple[int, Any], ...]

LARGEST_TOTAL = 2_147_483_647
VERSIONS = ("v2", "v3")


def seed(version: str, flag_key: str) -> bytes:
    """What comes before the targeting key in the bytes that are hashed."""
    data = flag_key.encode()
    return data if version == "v2" else b"\x82" + cbor.head(cbor.TEXT, len(data)) + data


def hash_v2(prefix: bytes, targeting_key: Any) -> int | None:
    """None without a targeting key."""
    if targeting_key.__class__ is not str and not isinstance(targeting_key, str):
        return None
    return mmh3_32_uintdigest(prefix + targeting_key.encode()) if targeting_key else None


def hash_v3(prefix: bytes, targeting_key: Any) -> int | None:
    """None without a targeting key."""
    if targeting_key.__class__ is not str and not isinstance(targeting_key, str):
        return None
    data = targeting_key.encode()
    size = len(data)
    if size < 24:
        return mmh3_32_uintdigest(prefix + SHORT[size] + data) if data else None
    return mmh3_32_uintdigest(prefix + cbor.head(cbor.TEXT, size) + data)


SHORT = tuple(cbor.head(cbor.TEXT, size) for size in range(24))
HASHES: dict[str, Callable[[bytes, Any], int | None]] = {"v2": hash_v2, "v3": hash_v3}


def hash_of(version: str, key: Any) -> int | None:
    """The hash of a bucketing key that the rule itself names."""
    try:
        return mmh3_32_uintdigest(key.encode() if version == "v2" else cbor.encode(key))
    except ValueError:
        return None


def weights(shares: Sequence[Any]) -> list[tuple[Any, int]] | None:
    """(variant, weight) of each share; None if one of them makes no sense or the total is out of range."""
    found = []
    for share in shares:
        if not isinstance(share, (list, tuple)) or not 1 <= len(share) <= 2:
            return None
        weight = share[1] if len(share) == 2 else 1
        if isinstance(weight, bool) or not isinstance(weight, int):
            return None
        found.append((share[0], max(0, weight)))
    return found if 1 <= sum(weight for _, weight in found) <= LARGEST_TOTAL else None


def bounds(shares: Sequence[Any]) -> Bounds | None:
    """(first hash beyond, variant) in order: choosing needs one comparison and no arithmetic."""
    weighed = weights(shares)
    if weighed is None:
        return None
    total = sum(weight for _, weight in weighed)
    running, found = 0, []
    for variant, weight in weighed:
        running += weight
        if weight:
            found.append((-(-(running << 32) // total), variant))
    return tuple(found)


def choose(limits: Bounds, hashed: int | None) -> Any:
    if hashed is None:
        return None
    for limit, variant in limits:
        if hashed < limit:
            return variant
    return None


def fractional(version: str, flag_key: str, targeting_key: Any, *arguments: Any) -> Any:
    """The operator in full, for shares that are not known before."""
    if not arguments:
        return None
    first, shares = arguments[0], arguments[1:]
    if isinstance(first, str) or (version == "v3" and not isinstance(first, (list, tuple))):
        hashed = None if first is None or (version == "v2" and not first) else hash_of(version, first)
    else:
        hashed, shares = HASHES[version](seed(version, flag_key), targeting_key), arguments
    limits = bounds(shares)
    return None if limits is None else choose(limits, hashed)
