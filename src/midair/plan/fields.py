"""A service as a flat mapping of paths to values: what `diff` compares and `revision` hashes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from midair.model.project import Service

Path = tuple[str, ...]
Fields = dict[Path, Any]


def fields_of(service: Service) -> Fields:
    """Every value that the service has, by path.

    What midair acts on is taken from the typed attributes, in which commands and files are resolved already; the
    rest from the service's canonical form.
    """
    flat = dict(_flatten({name: value for name, value in service.fields.items() if name not in _TYPED}))
    flat.update(_flatten({"x-midair": _without_runtime(service.extension)}))
    flat.update(_typed(service))
    return flat


def _typed(service: Service) -> Iterator[tuple[Path, Any]]:
    yield ("deploy", "replicas"), service.replicas
    yield ("x-midair", "runtime"), service.runtime
    for name in ("image", "working_dir", "user"):
        if (text := getattr(service, name)) is not None:
            yield (name,), text
    for name in ("entrypoint", "command"):
        if (words := getattr(service, name)) is not None:
            yield (name,), list(words)
    for name, value in service.environment.items():
        yield ("environment", name), value
    for name, digest in service.contents.items():
        kind, _, entry = name.partition(".")
        yield (kind, entry, "(content)"), digest


_TYPED = {"scale", "image", "working_dir", "user", "entrypoint", "command", "environment"}


def _without_runtime(extension: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in extension.items() if name != "runtime"}


def _flatten(value: Mapping[str, Any], above: Path = ()) -> Iterator[tuple[Path, Any]]:
    for name, inner in value.items():
        path = (*above, str(name))
        if isinstance(inner, Mapping):
            yield from _flatten(inner, path)
        elif isinstance(inner, list) and path in _KEYED:
            yield from _by_key(path, inner, _KEYED[path])
        elif inner is not None:
            yield path, inner
        elif above in _NAMES:
            yield path, {}


def _by_key(path: Path, items: list[Any], key: Callable[[Mapping[str, Any]], str]) -> Iterator[tuple[Path, Any]]:
    """Items of a list as fields of their own, so that a difference names the item and not the whole list."""
    seen: dict[str, int] = {}
    for item in items:
        name = key(item) if isinstance(item, Mapping) else str(item)
        seen[name] = seen.get(name, 0) + 1
        yield (*path, name if seen[name] == 1 else f"{name}#{seen[name]}"), item


def _port(item: Mapping[str, Any]) -> str:
    number = item.get("published") or item.get("target")
    return f"{number}/udp" if item.get("protocol") == "udp" else str(number)


def _target(item: Mapping[str, Any]) -> str:
    return str(item.get("target"))


def _source(item: Mapping[str, Any]) -> str:
    return str(item.get("source"))


_NAMES = (("networks",), ("models",))  # a name in them means something even without settings

_KEYED: dict[Path, Callable[[Mapping[str, Any]], str]] = {
    ("ports",): _port,
    ("volumes",): _target,
    ("configs",): _source,
    ("secrets",): _source,
}
