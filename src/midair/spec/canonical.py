"""Writes nodes as plain data in Compose's canonical form: what is empty or follows from silence is left out."""

from typing import Any

from midair.spec.node import Node, plain
from midair.spec.shape import Shape


def canonical(shape: Shape, node: Node, *, extensions: bool = False) -> Any:
    """Plain data. Fields named `x-*` are left out unless asked for."""
    if node.value is None:
        return None
    if shape.kind == "either":
        return canonical(shape.others[-1] if node.is_mapping or node.is_sequence else shape.others[0], node)
    if shape.kind == "mapping":
        return _fields(shape, node, extensions)
    if shape.kind == "dict" and shape.item is not None:
        return {key: canonical(shape.item, each) for key, each in node.entries()}
    if shape.kind == "list" and shape.item is not None:
        return [canonical(shape.item, each) for each in node.items()]
    return plain(node)


def _fields(shape: Shape, node: Node, extensions: bool) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for key, each in node.entries():
        if key.startswith("x-"):
            if extensions:
                written[key] = plain(each)
            continue
        field = shape.fields[key]
        value = canonical(field, each)
        if field.keep or field.kind == "mapping" or not _is_silence(field, value):
            written[key] = value
    return written


def _is_silence(field: Shape, value: Any) -> bool:
    return (
        value in (None, "", False, 0, [], {})
        or (field.kind == "duration" and value == "0s")
        or (field.kind == "bytes" and value == "0")
    )
