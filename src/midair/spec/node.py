"""A value of a Compose file that still knows where it was written. Every step of the reader takes and gives these."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A scalar, a list of nodes or a dict of nodes."""

    value: Any
    mark: Mark
    key_mark: Mark | None = None  # of the key in front of it, when it is an entry of a mapping
    tag: str = ""  # "!reset" or "!override", until the files are merged
    note: str = ""  # a warning about how the value was read

    @property
    def is_mapping(self) -> bool:
        """True for a dict of nodes."""
        return isinstance(self.value, dict)

    @property
    def is_sequence(self) -> bool:
        """True for a list of nodes."""
        return isinstance(self.value, list)

    @property
    def place(self) -> Mark:
        """Where to point a reader to: the key if there is one."""
        return self.key_mark or self.mark

    def get(self, key: str) -> "Node | None":
        """An entry of a mapping; None when there is none, or it is no mapping."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """The entries of a mapping; of anything else none."""
        yield from self.value.items() if isinstance(self.value, dict) else ()

    def items(self) -> Iterator["Node"]:
        """The items of a sequence; of anything else none."""
        yield from self.value if isinstance(self.value, list) else ()

    def find(self, *keys: str) -> "Node | None":
        """What is under these keys, one mapping in the other."""
        found: Node | None = self
        for key in keys:
            found = found.get(key) if found is not None else None
        return found

    def with_value(self, value: Any) -> "Node":
        """Another value at the same place."""
        return replace(self, value=value)

    def with_entry(self, key: str, node: "Node | None") -> "Node":
        """The mapping with one entry set, or without it when `node` is None."""
        entries = dict(self.entries())
        if node is None:
            entries.pop(key, None)
        else:
            entries[key] = node
        return self.with_value(entries)

    def make(self, value: Any) -> "Node":
        """A new node for a value that was not written but follows from this one."""
        if isinstance(value, dict):
            return Node({key: self.make(each) for key, each in value.items()}, self.mark)
        if isinstance(value, list):
            return Node([self.make(each) for each in value], self.mark)
        return value if isinstance(value, Node) else Node(value, self.mark)


def notes(node: Node, path: str = "") -> Iterator[tuple[str, str]]:
    """Every note in the tree, with the path of the value it is about."""
    if node.note:
        yield path, node.note
    for key, each in node.entries():
        yield from notes(each, f"{path}.{key}" if path else key)
    for index, each in enumerate(node.items()):
        yield from notes(each, f"{path}[{index}]")


def plain(node: Node) -> Any:
    """The value without places."""
    if isinstance(node.value, dict):
        return {key: plain(each) for key, each in node.value.items()}
    if isinstance(node.value, list):
        return [plain(each) for each in node.value]
    return node.value
