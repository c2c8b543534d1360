"""Two files become one: the later one's values win, lists grow, mappings are merged, as Compose has it."""

from midair.spec.node import Node
from midair.spec.shape import ANYTHING, Shape


def merge(shape: Shape, base: Node | None, over: Node) -> Node | None:
    """`over` on top of `base`. None when nothing is left."""
    if over.tag == "!reset":
        return None
    if base is None or over.tag == "!override" or shape.whole:
        return settle(shape, over)
    if over.value is None and not (shape.kind == "scalar" and shape.null):  # there it is a value: taken from the shell
        return base
    if base.is_mapping and over.is_mapping:
        if shape.kind == "mapping" and _are_other_drivers(shape, base, over):
            return settle(shape, over)
        return _merge_entries(shape, base, over)
    if base.is_sequence and over.is_sequence:
        return over.with_value(unite(shape, [*base.items(), *(item for item in over.items())]))
    return settle(shape, over)


def settle(shape: Shape, node: Node) -> Node:
    """A node on its own: what it resets is gone, and what it says twice is there once."""
    if node.is_mapping:
        entries = {key: settle(_below(shape, key), each) for key, each in node.entries() if each.tag != "!reset"}
        return Node(entries, node.mark, node.key_mark)
    if node.is_sequence:
        return Node(unite(shape, list(node.items())), node.mark, node.key_mark, note=node.note)
    return Node(node.value, node.mark, node.key_mark)


def unite(shape: Shape, items: list[Node]) -> list[Node]:
    """Items with the same key are one, at the place of the first."""
    item_shape = shape.item or ANYTHING
    settled = [settle(item_shape, item) for item in items]
    if shape.unique is None:
        return settled
    found: dict[str, Node] = {}
    for item in settled:
        key = shape.unique(item)
        if shape.joined and key in found:
            found[key] = merge(item_shape, found[key], item) or item
        else:
            found[key] = item
    return list(found.values())


def _merge_entries(shape: Shape, base: Node, over: Node) -> Node:
    entries = dict(base.entries())
    for key, each in over.entries():
        merged = merge(_below(shape, key), entries.get(key), each)
        if merged is None:
            entries.pop(key, None)
        else:
            entries[key] = merged
    return over.with_value(entries)


def _below(shape: Shape, key: str) -> Shape:
    if shape.kind == "mapping":
        return shape.fields.get(key, ANYTHING)
    if shape.kind == "either":
        return _below(shape.others[-1], key)
    return shape.item or ANYTHING


def _are_other_drivers(shape: Shape, base: Node, over: Node) -> bool:
    # Options of one logging driver mean nothing to another.
    if set(shape.fields) != {"driver", "options"}:
        return False
    before, after = base.get("driver"), over.get("driver")
    return before is not None and after is not None and before.value != after.value
