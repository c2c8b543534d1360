"""Feature flags for Python programs: `Flags`, a native typed client, and `MidairProvider` for OpenFeature.

Light to import: neither HTTP nor gRPC libraries, and OpenFeature's own package only with the provider.
"""

from __future__ import annotations

from midair.openfeature.flags import Flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from midair.openfeature.provider import MidairProvider

__all__ = ["Flags", "MidairProvider"]


def __getattr__(name: str) -> object:
    if name != "MidairProvider":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from midair.openfeature.provider import MidairProvider

    return MidairProvider
