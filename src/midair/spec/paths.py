"""Relative paths of a file in another folder, seen from the project's folder. Knows no file system."""

import posixpath
from collections.abc import Callable

from midair.spec.node import Node

_REMOTE = ("git@", "github.com/", "docker-image:", "service:", "target:", "oci-layout:")


def join_path(folder: str, path: str) -> str:
    """An absolute path, without dots."""
    return posixpath.normpath(posixpath.join(folder, path))


def from_folder(path: str, folder: str) -> str:
    """The way from one absolute folder to a path."""
    return posixpath.relpath(path, folder)


def is_remote(path: str) -> bool:
    """True for what is no path on this machine."""
    return "://" in path or path.startswith(_REMOTE)


def rebase_service(service: Node, prefix: str) -> Node:
    """Relative paths of a service, seen from the folder that `prefix` leads away from."""
    if prefix == ".":
        return service
    move = _mover(prefix)
    service = _at(service, ("build", "context"), move)
    if service.find("build") is not None and service.find("build", "context") is None:
        service = _at(service, ("build",), lambda node: node.with_entry("context", node.make(prefix)))
    service = _at(service, ("build", "additional_contexts", "*"), move)
    service = _at(service, ("env_file", "*", "path"), move)
    service = _at(service, ("label_file", "*"), move)
    service = _at(service, ("extends", "file"), move)
    service = _at(service, ("develop", "watch", "*", "path"), move)
    return _at(service, ("volumes", "*"), lambda volume: _move_bind(volume, move))


def rebase_model(model: Node, prefix: str) -> Node:
    """Relative paths of a whole file."""
    if prefix == ".":
        return model
    move = _mover(prefix)
    model = _at(model, ("services", "*"), lambda service: rebase_service(service, prefix))
    model = _at(model, ("secrets", "*", "file"), move)
    return _at(model, ("configs", "*", "file"), move)


def _mover(prefix: str) -> Callable[[Node], Node]:
    def move(node: Node) -> Node:
        path = node.value
        if not isinstance(path, str) or not path or path.startswith(("/", "~")) or is_remote(path):
            return node
        return node.with_value(posixpath.normpath(posixpath.join(prefix, path)))

    return move


def _move_bind(volume: Node, move: Callable[[Node], Node]) -> Node:
    kind = volume.get("type")
    return _at(volume, ("source",), move) if kind is not None and kind.value == "bind" else volume


def _at(node: Node, path: tuple[str, ...], change: Callable[[Node], Node]) -> Node:
    """Change what is at a path; "*" is every entry or item."""
    if not path:
        return change(node)
    head, rest = path[0], path[1:]
    if head == "*" and node.is_sequence:
        return node.with_value([_at(item, rest, change) for item in node.items()])
    if not node.is_mapping:
        return node
    chosen = list(node.value) if head == "*" else [head] if head in node.value else []
    return node.with_value({**node.value, **{key: _at(node.value[key], rest, change) for key in chosen}})
