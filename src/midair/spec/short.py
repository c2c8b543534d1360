"""Short forms that are turned into long ones: lists for mappings, text for lists. Raises BadShort."""

import re
from collections.abc import Callable
from dataclasses import replace

from midair.spec.node import Node
from midair.spec.problems import got
from midair.spec.shape import BadShort


def one_as_list(node: Node) -> Node:
    """A single value is a list of one."""
    return node if node.value is None or isinstance(node.value, list | dict) else node.with_value([node])


def pairs(node: Node) -> Node:
    """["A=1", "B"] is {A: 1, B: nothing}."""
    if not node.is_sequence:
        return node
    entries: dict[str, Node] = {}
    for item in node.items():
        if not isinstance(item.value, str):
            raise BadShort('an item should be text such as "NAME=value"')
        name, equals, value = item.value.partition("=")
        entries[name] = item.with_value(value if equals else None)
    return node.with_value(entries)


def names(node: Node) -> Node:
    """["a", "b"] is {a: nothing, b: nothing}."""
    if not node.is_sequence:
        return node
    for item in node.items():
        if not isinstance(item.value, str):
            raise BadShort(f"an item should be a name, got {got(item.value)}")
    return node.with_value({item.value: item.with_value(None) for item in node.items()})


def dependencies(node: Node) -> Node:
    """["db"] is {db: {condition: service_started, required: true}}."""
    if not node.is_sequence:
        return node
    named = names(node)
    started = {"condition": "service_started", "required": True}
    return node.with_value({name: each.make(started) for name, each in named.entries()})


def hosts(node: Node) -> Node:
    """{host: ip} or ["host:ip"] is ["host=ip"]."""
    if node.is_mapping:
        lines = []
        for name, each in node.entries():
            for address in each.items() if each.is_sequence else [each]:
                lines.append(address.with_value(f"{name}={address.value}"))
        return node.with_value([_host(line) for line in lines])
    return node.with_value([_host(item) for item in node.items()]) if node.is_sequence else node


def _host(item: Node) -> Node:
    if not isinstance(item.value, str):
        raise BadShort(f'an item should be text such as "name=10.0.0.1", got {got(item.value)}')
    name, found, address = item.value.partition("=") if "=" in item.value else item.value.partition(":")
    if not (name and found and address):
        raise BadShort(f'should be "name=address", got {got(item.value)}')
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return item.with_value(f"{name}={address}")


def command(node: Node) -> Node:
    """Text is split into words as a shell would, with quotes and backslashes and nothing else."""
    if not isinstance(node.value, str):
        return node
    words, operators = read_line(node.value)
    note = f"{got(operators[0])} is an argument here, as no shell runs it; {_SHELL}" if operators else ""
    return replace(node, value=[node.with_value(word) for word in words], note=note)


_OPERATORS = ";&|<>()"
_SHELL = 'quote it, or write ["sh", "-c", "…"]'


def split_words(line: str) -> list[str]:
    """The words of a command line. Raises BadShort when a quote is never closed."""
    return read_line(line)[0]


def read_line(line: str) -> tuple[list[str], str]:
    """The words of a command line, and those of its characters that a shell would not take for text."""
    words: list[str] = []
    operators = ""
    word, started, quote, position = "", False, "", 0
    while position < len(line):
        char = line[position]
        position += 1
        if char == "\\" and quote != "'":
            word, started = word + line[position : position + 1], True
            position += 1
        elif quote:
            quote, word = ("", word) if char == quote else (quote, word + char)
        elif char in "'\"":
            quote, started = char, True
        elif char.isspace():
            if started:
                words.append(word)
            word, started = "", False
        else:
            word, started = word + char, True
            operators += char if char in _OPERATORS else ""
    if quote:
        raise BadShort(f"the quote {quote} is never closed in {got(line)}")
    return ([*words, word] if started else words), operators


def health_test(node: Node) -> Node:
    """Text is run by a shell."""
    if isinstance(node.value, str):
        return node.make(["CMD-SHELL", node.value])
    first = next(node.items(), None)
    if first is not None and first.value not in ("CMD", "CMD-SHELL", "NONE"):
        raise BadShort(
            f'should be text, or a list that starts with "CMD", "CMD-SHELL" or "NONE", got {got(first.value)}'
        )
    return node


def named(field: str) -> Callable[[Node], Node]:
    """Text is a mapping with this one field."""

    def long_form(node: Node) -> Node:
        return node.with_value({field: node}) if isinstance(node.value, str) else node

    return long_form


def pause(node: Node) -> Node:
    """`{}` and `{duration: 2m}`, as Argo Rollouts has it."""
    if not node.is_mapping:
        return node
    if any(key != "duration" for key, _ in node.entries()):
        raise BadShort('should be a duration such as "2m", or {} or true to wait for promote')
    return node.get("duration") or node.with_value(None)


def devices(node: Node) -> Node:
    """ "/dev/a:/dev/b:rwm"."""
    if not isinstance(node.value, str):
        return node
    parts = node.value.split(":")
    if len(parts) > 3 or not all(parts):
        raise BadShort(f'should be "source[:target[:permissions]]", got {got(node.value)}')
    source, target, permissions = parts[0], (parts[1:2] or parts)[0], (parts[2:] or ["rwm"])[0]
    return node.make({"source": source, "target": target, "permissions": permissions})


def gpus(node: Node) -> Node:
    """ "all" is every GPU."""
    if node.value == "all":
        return node.make([{"count": -1}])
    if isinstance(node.value, str):
        raise BadShort(f'should be "all" or a list of devices, got {got(node.value)}')
    return node


def all_devices(node: Node) -> Node:
    """A request for devices that says no number means all of them; so does "all"."""
    if not node.is_mapping:
        return node
    count = node.get("count")
    if count is not None and count.value is not None and (ids := node.get("device_ids")) is not None and ids.value:
        raise BadShort("count and device_ids exclude each other; write one of them")
    if count is not None and count.value == "all":
        return node.with_entry("count", count.with_value(-1))
    if count is None and node.get("device_ids") is None:
        return node.with_entry("count", node.make(-1))
    return node


def external(node: Node) -> Node:
    """`external: {name: x}` is `external: true` and `name: x`."""
    marker = node.get("external")
    if marker is None or not marker.is_mapping:
        return node
    inner = marker.get("name")
    if inner is not None and node.get("name") is None:
        node = node.with_entry("name", inner)
    return node.with_entry("external", marker.with_value(True))


def ssh(node: Node) -> Node:
    """["default", "id=path"] or {default: nothing, id: path}: a list of text."""
    if node.is_mapping:
        lines = [
            each.with_value(name if each.value in (None, "") else f"{name}={each.value}")
            for name, each in node.entries()
        ]
        return node.with_value(lines)
    return one_as_list(node)


def watch_paths(node: Node) -> list[Node]:
    """A watch rule with several paths is several rules."""
    path = node.get("path")
    if path is None or not path.is_sequence:
        return [node]
    return [node.with_entry("path", each) for each in path.items()]


_PLACE = re.compile(r"[A-Za-z]:[\\/]")


def is_path(source: str) -> bool:
    """True for the source of a bind mount; the rest are names of volumes."""
    return source.startswith((".", "/", "~", "\\\\")) or bool(_PLACE.match(source))
