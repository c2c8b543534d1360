"""The words of the schema: what a value may look like, how it is merged, and when it is left out of the canonical form.

A shape is data. `check` reads a node by it, `merge` merges two by it, `canonical` writes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from midair.spec.node import Node

Kind = Literal[
    "text", "scalar", "whole", "number", "flag", "bytes", "duration", "mode", "choice",
    "mapping", "dict", "list", "either", "anything",
]  # fmt: skip


class BadShort(Exception):
    """A short form that can't be read; the text says what would be right."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What one value may be. Optional settings apply to some kinds only."""

    kind: Kind
    fields: Mapping[str, "Shape"] = field(default_factory=dict)  # of a mapping; `x-*` is always allowed
    required: tuple[str, ...] = ()
    item: "Shape | None" = None  # of a dict or a list
    others: tuple["Shape", ...] = ()  # of an either: a scalar first, then a mapping or list
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    key: str = ""  # regular expression for the keys of a dict
    short: Callable[[Node], Node] | None = None  # short form -> long form
    tidy: Callable[[Node], Node] | None = None  # an old or incomplete long form -> the present one
    many: Callable[[Node], list[Node]] | None = None  # an item that may stand for several
    unique: Callable[[Node], str] | None = None  # items with the same answer are one: the last
    joined: bool = False  # items with the same answer are merged instead
    whole: bool = False  # the later file's value takes the place of the earlier one's
    null: bool = False  # nothing is a value here, not an absent one
    keep: bool = False  # written also when it is empty, false or 0
    private: bool = False  # a value may be a secret: it is not shown
    as_text: bool = False  # a number that Compose writes as text


def text(**settings: Any) -> Shape:
    """Text; a number has to be put in quotes."""
    return Shape("text", **settings)


def scalar(**settings: Any) -> Shape:
    """Text, a number or a truth value, kept as text."""
    return Shape("scalar", **settings)


def whole(low: float | None = None, high: float | None = None, **settings: Any) -> Shape:
    """A whole number."""
    return Shape("whole", low=low, high=high, **settings)


def number(low: float | None = None, high: float | None = None, **settings: Any) -> Shape:
    """A number."""
    return Shape("number", low=low, high=high, **settings)


def flag(**settings: Any) -> Shape:
    """True or false."""
    return Shape("flag", **settings)


def size(low: float | None = 0, **settings: Any) -> Shape:
    """A number of bytes, "512m"; Compose writes it as text."""
    return Shape("bytes", low=low, as_text=True, **settings)


def duration(**settings: Any) -> Shape:
    """A duration, "1m30s"."""
    return Shape("duration", **settings)


def choice(*choices: str, **settings: Any) -> Shape:
    """One of some words."""
    return Shape("choice", choices=choices, **settings)


def mapping(fields: Mapping[str, Shape], **settings: Any) -> Shape:
    """Known fields."""
    return Shape("mapping", fields=fields, **settings)


def dictionary(item: Shape, **settings: Any) -> Shape:
    """Names of the user's own choice."""
    return Shape("dict", item=item, **settings)


def sequence(item: Shape, **settings: Any) -> Shape:
    """Items in order; text is unique unless said otherwise."""
    if "unique" not in settings and item.kind in ("text", "scalar") and not settings.get("whole"):
        settings["unique"] = lambda node: str(node.value)
    return Shape("list", item=item, **settings)


def either(first: Shape, *others: Shape, **settings: Any) -> Shape:
    """A scalar, or else a mapping or list."""
    return Shape("either", others=(first, *others), **settings)


ANYTHING = Shape("anything", keep=True)
MODE = Shape("mode")


def kept(shape: Shape) -> Shape:
    """The same, but written also when it is empty, false or 0."""
    return replace(shape, keep=True)
