"""YAML text becomes nodes: anchors, merge keys and tags followed, duplicate keys refused, sizes limited."""

from dataclasses import replace
from typing import Any

import yaml

from midair.spec.node import Mark, Node
from midair.spec.problems import Problems, got, join
from midair.spec.scalar import resolve

LONGEST_FILE = 2_000_000  # characters
DEEPEST = 64
MOST_NODES = 200_000  # with every alias followed: what an alias bomb would exceed
_TAGS = ("!reset", "!override")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C loader keeps deep files off Python's stack
_STANDARD = "tag:yaml.org,2002:"
_IMPLICIT: Any = yaml.resolver.Resolver()


class _Bomb(Exception):
    """A limit was exceeded."""

    def __init__(self, message: str, mark: Mark) -> None:
        super().__init__(message)
        self.message, self.mark = message, mark


def parse(text: str, file: str, problems: Problems) -> list[Node]:
    """The documents of a file, as nodes. What is wrong goes to `problems`."""
    if len(text) > LONGEST_FILE:
        problems.add("", f"cannot read YAML: longer than {LONGEST_FILE} characters", Mark(file, 1, 1))
        return []
    try:
        _check_depth(text, file)
        documents = [node for node in yaml.compose_all(text, Loader=_LOADER) if node is not None]
    except _Bomb as bomb:
        problems.add("", f"cannot read YAML: {bomb.message}", bomb.mark)
        return []
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        message, mark = _explain(error, text, file)
        problems.add("", f"cannot read YAML: {message}", mark)
        return []
    builder = _Builder(file, problems)
    try:
        return [builder.build(document, "", 0) for document in documents]
    except _Bomb as bomb:
        problems.add("", f"cannot read YAML: {bomb.message}", bomb.mark)
        return []


def _mark(found: Any, file: str) -> Mark:
    return Mark(file, found.line + 1, found.column + 1)


def _check_depth(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise _Bomb(f"nested deeper than {DEEPEST} levels", _mark(event.start_mark, file))
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _explain(error: Exception, text: str, file: str) -> tuple[str, Mark]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = _mark(mark, file) if mark else Mark(file, 1, 1)
    if isinstance(error, yaml.reader.ReaderError):
        return f"character {got(chr(error.character))} is not allowed", place
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    message = ", ".join(part for part in parts if part) or str(error).split("\n", 1)[0]
    line = text.split("\n")[place.line - 1 : place.line]
    if line and "\t" in line[0][: place.column]:
        message += "; indent with spaces, not tabs"
    return message, place


class _Builder:
    """Turns the library's nodes of one file into ours."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._count = 0
        self._open: set[int] = set()

    def build(self, raw: yaml.Node, path: str, depth: int) -> Node:
        mark = _mark(raw.start_mark, self._file)
        self._count += 1
        if self._count > MOST_NODES:
            raise _Bomb(f"more than {MOST_NODES} values once aliases are followed", mark)
        if depth > DEEPEST or id(raw) in self._open:
            raise _Bomb("an alias contains itself" if id(raw) in self._open else "nested too deeply", mark)
        tag = raw.tag if raw.tag in _TAGS else ""
        self._open.add(id(raw))
        try:
            return Node(self._value(raw, path, depth, mark), mark, tag=tag)
        finally:
            self._open.discard(id(raw))

    def _value(self, raw: yaml.Node, path: str, depth: int, mark: Mark) -> Any:
        if isinstance(raw, yaml.ScalarNode):
            return self._scalar(raw, path, mark)
        if isinstance(raw, yaml.SequenceNode):
            return [self.build(item, join(path, index), depth + 1) for index, item in enumerate(raw.value)]
        return self._mapping(raw, path, depth)

    def _scalar(self, raw: yaml.ScalarNode, path: str, mark: Mark) -> Any:
        text: str = raw.value
        if raw.tag in _TAGS:
            return text if raw.style else resolve(text)
        if not raw.tag.startswith(_STANDARD):
            self._problems.add(path, f'unknown YAML tag "{raw.tag[:60]}"', mark)
            return text
        is_text = raw.tag == _STANDARD + "str"
        said_so = is_text and _IMPLICIT.resolve(yaml.ScalarNode, text, (True, False)) != raw.tag  # an explicit !!str
        return text if raw.style or said_so else resolve(text)

    def _mapping(self, raw: yaml.Node, path: str, depth: int) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for raw_key, raw_value in raw.value:
            mark = _mark(raw_key.start_mark, self._file)
            if not isinstance(raw_key, yaml.ScalarNode):
                self._problems.add(path, "a key should be text, got a list or a mapping", mark)
                continue
            key: str = raw_key.value
            if key == "<<" and not raw_key.style:
                for name, node in self._merge_key(raw_value, path, depth).items():
                    merged.setdefault(name, node)
                continue
            if not isinstance(meant := self._scalar(raw_key, path, mark), str):
                self._problems.add(join(path, key), f"a key should be text, got {got(meant)}; put it in quotes", mark)
                continue
            if key in entries:
                first = entries[key].place
                self._problems.add(join(path, key), f"{got(key)} is here twice, first in line {first.line}", mark)
                continue
            entries[key] = replace(self.build(raw_value, join(path, key), depth + 1), key_mark=mark)
        return {**merged, **entries}

    def _merge_key(self, raw: yaml.Node, path: str, depth: int) -> dict[str, Node]:
        sources = raw.value if isinstance(raw, yaml.SequenceNode) else [raw]
        merged: dict[str, Node] = {}
        for source in sources:
            node = self.build(source, path, depth + 1)
            if not node.is_mapping:
                message = f"<< should name a mapping or a list of mappings, got {got(node.value)}"
                self._problems.add(join(path, "<<"), message, node)
                continue
            for name, entry in node.entries():
                merged.setdefault(name, entry)
        return merged
