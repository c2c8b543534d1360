"""Reads a file by the schema: long forms for short ones, values of the right type, a problem for the rest."""

import re
from typing import Any

from midair.spec import units
from midair.spec.node import Node
from midair.spec.problems import Problems, did_you_mean, got, join, one_of
from midair.spec.scalar import text_of
from midair.spec.shape import BadShort, Shape

_WANTED = {"mapping": "a mapping", "dict": "a mapping", "list": "a list"}
_WANTED_OR_SHORT = {"mapping": "text or a mapping", "dict": "a list or a mapping", "list": "text or a list"}


class Checker:
    """Reads nodes; what is wrong goes to `problems` and is left out of the answer."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def read(self, shape: Shape, node: Node, path: str) -> Node | None:
        """The node in long form, or None when there is nothing (left) to read."""
        if node.tag == "!reset":
            return node
        for rewrite in (shape.short, shape.tidy):
            try:
                node = rewrite(node) if rewrite else node
            except BadShort as error:
                self._problems.add(path, str(error), node)
                return None
        if node.value is None:
            return node if shape.null or node.tag else None
        if shape.kind in ("mapping", "dict", "list"):
            return self._collection(shape, node, path)
        if shape.kind == "either":
            wanted = shape.others[-1] if isinstance(node.value, dict | list) else shape.others[0]
            return self.read(wanted, node, path)
        if shape.kind == "anything":
            return node
        return self._leaf(shape, node, path)

    def _collection(self, shape: Shape, node: Node, path: str) -> Node | None:
        is_right = node.is_sequence if shape.kind == "list" else node.is_mapping
        if not is_right:
            self._problems.add(path, f"should be {_wanted(shape, node)}, got {_shown(shape, node)}", node)
            return node.with_value({}) if shape.kind == "mapping" else None
        if shape.kind == "list":
            return node.with_value(self._items(shape, node, path))
        return node.with_value(
            self._fields(shape, node, path) if shape.kind == "mapping" else self._names(shape, node, path)
        )

    def _fields(self, shape: Shape, node: Node, path: str) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        for key, each in node.entries():
            field = shape.fields.get(key)
            if field is not None:
                found = self.read(field, each, join(path, key))
                if found is not None:
                    entries[key] = found
            elif key.startswith("x-"):
                entries[key] = each
            else:
                hint = did_you_mean(key, shape.fields) or _near_miss(key)
                self._problems.add(join(path, key), f"unknown field{hint}", each.place)
        for key in shape.required:
            if not node.tag and not _has_value(entries.get(key)) and not self._problems.covers(join(path, key)):
                self._problems.add(join(path, key), "is missing", node.place)
        return entries

    def _names(self, shape: Shape, node: Node, path: str) -> dict[str, Node]:
        assert shape.item is not None, "a dict has items"
        entries: dict[str, Node] = {}
        for key, each in node.entries():
            below = join(path, key)
            if shape.key and not re.fullmatch(shape.key, key):
                self._problems.add(
                    below, f"a name should have letters, digits, . _ and - only, got {got(key)}", each.place
                )
                continue
            found = self.read(shape.item, each, below)
            if found is None and each.value is None and shape.item.kind == "either":
                self._problems.add(below, "should not be empty", each.place)
            elif found is None and each.value is None:
                found = each.with_value({} if shape.item.kind == "mapping" else "")
            if found is not None:
                entries[key] = found
        return entries

    def _items(self, shape: Shape, node: Node, path: str) -> list[Node]:
        assert shape.item is not None, "a list has items"
        items: list[Node] = []
        for index, each in enumerate(node.items()):
            below = join(path, index)
            if each.value is None and each.tag != "!reset":
                self._problems.add(below, "should not be empty", each)
                continue
            try:
                several = shape.item.many(each) if shape.item.many else [each]
            except BadShort as error:
                self._problems.add(below, str(error), each)
                continue
            read = (self.read(shape.item, one, below) for one in several)
            items.extend(one for one in read if one is not None and one.tag != "!reset")
        return items

    def _leaf(self, shape: Shape, node: Node, path: str) -> Node | None:
        try:
            return node.with_value(_convert(shape, node.value))
        except ValueError as error:
            self._problems.add(path, str(error), node)
            return None


def _has_value(node: Node | None) -> bool:
    """A value that the canonical form does not leave out."""
    return node is not None and (bool(node.tag) or node.value not in (None, "", [], {}))


def _wanted(shape: Shape, node: Node) -> str:
    has_short = shape.short is not None and not (shape.kind == "list" and isinstance(node.value, str))
    return (_WANTED_OR_SHORT if has_short else _WANTED)[shape.kind]


def _shown(shape: Shape, node: Node) -> str:
    return "text" if shape.private and isinstance(node.value, str) else got(node.value)


def _near_miss(key: str) -> str:
    return ', did you mean "x-midair"?' if key.replace("_", "-").lower() in ("midair", "xmidair") else ""


def _convert(shape: Shape, value: Any) -> Any:
    if isinstance(value, dict | list):
        raise ValueError(f"should be {_NAMES.get(shape.kind, 'text')}, got {got(value)}")
    match shape.kind:
        case "text":
            return _text(value)
        case "scalar":
            return text_of(value)
        case "choice":
            return _choice(shape, value)
        case "flag":
            return units.flag(value)
        case "mode":
            return units.file_mode(value)
        case "duration":
            return units.duration_text(units.nanoseconds(value))
    readers = {"whole": units.whole_number, "number": units.number, "bytes": units.byte_count}
    found = readers[shape.kind](value)
    _check_range(shape, found, value)
    return str(found) if shape.as_text else found


_NAMES = {
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "bytes": 'a size such as "512m" or "2g"',
    "duration": 'a duration such as "30s" or "1m30s"',
    "mode": "octal permissions such as 0440",
}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"should be text, got {got(value)}; put it in quotes")
    return value


def _choice(shape: Shape, value: Any) -> str:
    if isinstance(value, str) and value in shape.choices:
        return value
    raise ValueError(f"should be {one_of(shape.choices)}, got {got(value)}")


def _check_range(shape: Shape, found: float, value: Any) -> None:
    if (shape.low is not None and found < shape.low) or (shape.high is not None and found > shape.high):
        if shape.high is None:
            raise ValueError(f"should be at least {shape.low}, got {got(value)}")
        raise ValueError(f"should be between {shape.low} and {shape.high}, got {got(value)}")
