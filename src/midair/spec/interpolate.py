"""Variables in text: `$V`, `${V}`, `${V:-default}` and the other operators of Compose, nested.

`$$` is a dollar sign, and so is a `$` that begins no variable: `^ok$`, `$1`, `$(date)`.
"""

import re
from collections.abc import Callable

from midair.spec.node import Node
from midair.spec.problems import Problems, join

Lookup = Callable[[str], str | None]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", "-", ":?", "?", ":+", "+")
_DEEPEST = 32


class BadTemplate(Exception):
    """The text is no template, or a variable that it needs has no value.

    The message shows no more of the text than the variable's name: the rest may be a secret.
    """


def substitute(text: str, lookup: Lookup, missing: Callable[[str], None], depth: int = 0) -> str:
    """The text with its variables replaced. `missing` is told of each that has no value and no default."""
    if depth > _DEEPEST:
        raise BadTemplate("variables are nested too deeply")
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        after = text[dollar + 1 : dollar + 2]
        if after == "$":
            parts.append("$")
            position = dollar + 2
        elif after == "{":
            end = _closing(text, dollar + 1)
            parts.append(_braced(text[dollar + 2 : end], lookup, missing, depth))
            position = end + 1
        elif name := _NAME.match(text, dollar + 1):
            parts.append(_value(name[0], lookup, missing))
            position = name.end()
        else:
            parts.append("$")
            position = dollar + 1
    parts.append(text[position:])
    return "".join(parts)


def _closing(text: str, opening: int) -> int:
    depth = 0
    for index in range(opening, len(text)):
        if text[index] == "{":
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    name = _NAME.match(text, opening + 1)
    raise BadTemplate(f'"${{{name[0] if name else ""}" lacks its closing brace; write $$ for a dollar sign')


def _braced(inside: str, lookup: Lookup, missing: Callable[[str], None], depth: int) -> str:
    name = _NAME.match(inside)
    if name is None:
        raise BadTemplate(f'"${{{inside[:1]}" begins no variable name; write $$ for a dollar sign')
    rest = inside[name.end() :]
    if not rest:
        return _value(name[0], lookup, missing)
    operator = next((each for each in _OPERATORS if rest.startswith(each)), None)
    if operator is None:
        known = " ".join(_OPERATORS)
        raise BadTemplate(f'"${{{name[0]}{rest[0]}" has no operator after the name: use one of {known}')
    value = lookup(name[0])
    has_value = bool(value) if operator[0] == ":" else value is not None
    word = rest[len(operator) :]
    if operator[-1] == "+":
        return substitute(word, lookup, missing, depth + 1) if has_value else ""
    if has_value:
        return value or ""
    told = substitute(word, lookup, missing, depth + 1)
    if operator[-1] == "-":
        return told
    raise BadTemplate(f'variable "{name[0]}" needs a value' + (f": {told}" if told else ""))


def _value(name: str, lookup: Lookup, missing: Callable[[str], None]) -> str:
    value = lookup(name)
    if value is None:
        missing(name)
    return value or ""


def interpolate(node: Node, lookup: Lookup, missing: Callable[[str], None], problems: Problems, path: str = "") -> Node:
    """The node with the variables in all its texts replaced; keys stay as they are."""
    if isinstance(node.value, dict):
        return node.with_value(
            {key: interpolate(each, lookup, missing, problems, join(path, key)) for key, each in node.value.items()}
        )
    if isinstance(node.value, list):
        return node.with_value(
            [interpolate(each, lookup, missing, problems, join(path, i)) for i, each in enumerate(node.value)]
        )
    if not isinstance(node.value, str) or "$" not in node.value:
        return node
    try:
        return node.with_value(substitute(node.value, lookup, missing))
    except BadTemplate as error:
        problems.add(path, str(error), node)
        return node
