"""`extends`: a service takes over what another one says, of the same file or of another."""

from midair.spec.merge import merge
from midair.spec.node import Node
from midair.spec.paths import from_folder, join_path, rebase_service
from midair.spec.problems import did_you_mean, got, join
from midair.spec.source import Environment, Sources
from midair.spec.table.service import SERVICE

_LONGEST = 50
Chain = tuple[tuple[str, str], ...]


class Extender:
    """Resolves the `extends` of one project's files."""

    def __init__(self, sources: Sources, environment: Environment) -> None:
        self._sources = sources
        self._environment = environment
        self._models: dict[str, Node | None] = {}
        self._circles: set[frozenset[tuple[str, str]]] = set()

    def resolve(self, model: Node, file: str, folder: str) -> Node:
        """The model of a file, each service with what it extends."""
        services = model.get("services")
        if services is None or not services.is_mapping:
            return model
        resolved = {name: self._service(services, name, file, folder, ()) for name, _ in services.entries()}
        return model.with_entry("services", services.with_value(resolved))

    def _service(self, services: Node, name: str, file: str, folder: str, chain: Chain) -> Node:
        service: Node = services.value[name]
        extends = service.get("extends")
        reference = extends.get("service") if extends is not None else None
        if extends is None or reference is None or not isinstance(reference.value, str):
            return service.with_entry("extends", None) if service.is_mapping else service
        own = service.with_entry("extends", None)
        chain = (*chain, (file, name))
        base = self._base(services, extends, reference, file, folder, chain)
        if base is None:
            return service  # a problem was noted; nobody is to wonder what the service lacks
        merged = merge(SERVICE, base, own)
        return merged if merged is not None else own

    def _base(
        self, services: Node, extends: Node, reference: Node, file: str, folder: str, chain: Chain
    ) -> Node | None:
        path = join(join("services", chain[-1][1]), "extends")
        named = extends.get("file")
        if named is None:
            return self._from(services, reference, file, folder, chain, path)
        other = join_path(folder, named.value)
        model = self._model(other, named, f"{path}.file")
        found = model.get("services") if model is not None else None
        if found is None:
            return None
        other_folder = join_path(other, "..")
        base = self._from(found, reference, other, other_folder, chain, path)
        return rebase_service(base, from_folder(other_folder, folder)) if base is not None else None

    def _from(self, services: Node, reference: Node, file: str, folder: str, chain: Chain, path: str) -> Node | None:
        name = reference.value
        if (file, name) in chain:
            start = chain.index((file, name))
            members = frozenset(chain[start:])
            if members not in self._circles:  # each of them would find it again
                circle = " -> ".join([*(service for _, service in chain[start:]), name])
                self._sources.problems.add(path, f"goes in a circle: {circle}", reference)
            self._circles.add(members)
            return None
        if len(chain) > _LONGEST:
            self._sources.problems.add(path, f"extends more than {_LONGEST} services, one after the other", reference)
            return None
        if services.get(name) is None:
            known = did_you_mean(name, (each for each, _ in services.entries()))
            where = "" if file == chain[-1][0] else f" in {got(self._sources.label(file))}"
            self._sources.problems.add(path, f"there is no service {got(name)}{where}{known}", reference)
            return None
        return self._service(services, name, file, folder, chain)

    def _model(self, file: str, at: Node, path: str) -> Node | None:
        if file not in self._models:
            self._models[file] = self._sources.model(file, self._environment, at, path)
        return self._models[file]
