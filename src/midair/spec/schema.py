"""What is known about the fields of a Compose service, for tables and documentation made from the schema."""

from collections.abc import Iterator

import msgspec

from midair.spec.shape import Shape
from midair.spec.table.service import SERVICE


class Field(msgspec.Struct, frozen=True):
    """One field of a service. In its path "*" is a name of the user's own choice and "[]" an item of a list."""

    path: str  # deploy.resources.limits.memory, environment.*, ports[].target
    kind: str  # text, scalar, whole, number, flag, bytes, duration, mode, choice, mapping, dict, list, anything
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


def known_fields() -> tuple[Field, ...]:
    """Every field that a Compose service can have, parents before children, in the order of the table."""
    return tuple(walk(SERVICE))


def describe(path: str) -> Field | None:
    """What is known about the field at `path` of a service; None when there is no such field."""
    return _BY_PATH.get(path)


def walk(shape: Shape, path: str = "") -> Iterator[Field]:
    """Every field below `path` of a shape, parents before children."""
    if shape.kind == "either":
        first, *others = shape.others
        yield from walk(first, path)
        for other in others:
            yield from (field for field in walk(other, path) if field.path != path)
        return
    if path:
        yield Field(path, shape.kind, shape.choices, shape.low, shape.high)
    for name, field in shape.fields.items():
        yield from walk(field, f"{path}.{name}" if path else name)
    if shape.item is not None:
        yield from walk(shape.item, f"{path}.*" if shape.kind == "dict" else f"{path}[]")


_BY_PATH: dict[str, Field] = {field.path: field for field in known_fields()}
