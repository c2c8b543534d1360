"""What a Compose file may contain, as data."""

import msgspec


class Field(msgspec.Struct, frozen=True):
    """One field of a Compose service."""

    path: str  # deploy.resources.limits.memory
    kind: str  # string, integer, boolean, duration, bytes, mapping, sequence …


def known_fields() -> tuple[Field, ...]:
    """Every field that a Compose service can have, in the order of the reference."""
    return ()


def describe(path: str) -> Field | None:
    """What is known about the field at `path` of a service."""
    return next((field for field in known_fields() if field.path == path), None)
