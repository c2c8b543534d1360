"""`env_file` and `label_file` of services: what they say becomes part of `environment` and `labels`."""

from collections.abc import Callable

from midair.spec.dotenv import BadLine
from midair.spec.node import Mark, Node
from midair.spec.paths import join_path
from midair.spec.problems import got, join
from midair.spec.source import Environment, Sources, reason


def read_service_files(model: Node, sources: Sources, folder: str, environment: Environment) -> Node:
    """The model with the variables and labels of its services' files."""
    services = model.get("services")
    if services is None:
        return model
    reader = _FileReader(sources, folder, environment)
    read = {name: reader.service(each, join("services", name)) for name, each in services.entries()}
    return model.with_entry("services", services.with_value(read))


class _FileReader:
    def __init__(self, sources: Sources, folder: str, environment: Environment) -> None:
        self._sources = sources
        self._folder = folder
        self._environment = environment

    def service(self, service: Node, path: str) -> Node:
        service = self._merge(service, "env_file", "environment", path, lambda node: node.get("path"))
        return self._merge(service, "label_file", "labels", path, lambda node: node)

    def _merge(self, service: Node, field: str, into: str, path: str, place: Callable[[Node], Node | None]) -> Node:
        files = service.get(field)
        if files is None:
            return service
        own = service.get(into)
        said = {name: each for name, each in own.entries()} if own is not None else {}
        found: dict[str, Node] = {}
        for index, item in enumerate(files.items()):
            named = place(item)
            if named is not None:
                found |= self._read(item, named, {**found, **said}, join(join(path, field), index))
        service = service.with_entry(field, None)
        return service.with_entry(into, (own or files).with_value({**found, **said}))

    def _read(self, item: Node, named: Node, known: dict[str, Node], path: str) -> dict[str, Node]:
        file = join_path(self._folder, named.value)
        required, form = item.get("required"), item.get("format")

        def lookup(name: str) -> str | None:
            # As in Compose, variables of the project win over those of the service.
            value = self._environment.get(name)
            return value if value is not None or name not in known else known[name].value

        try:
            is_raw = form is not None and form.value == "raw"
            values = self._sources.raw_lines(file) if is_raw else self._sources.variables(file, lookup)
        except (OSError, ValueError) as error:
            if required is None or required.value or not isinstance(error, FileNotFoundError):
                self._sources.problems.add(path, f"cannot read {got(named.value)}: {reason(error)}", named)
            return {}
        except BadLine as error:
            label = self._sources.label(file)
            self._sources.problems.add("", error.message, Mark(label, error.line, 1))
            return {}
        label = self._sources.label(file)
        resolved = {name: self._environment.get(name) if value is None else value for name, value in values.items()}
        return {name: Node(value, Mark(label, 0, 0)) for name, value in resolved.items() if value is not None}
