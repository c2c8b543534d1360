"""The way from files to a `Project`, step by step."""

from collections.abc import Mapping, Sequence
from typing import Any

from midair.model.project import Named, Project, Service
from midair.spec import typed
from midair.spec.assemble import assemble
from midair.spec.canonical import canonical
from midair.spec.cross import cross_check
from midair.spec.envfile import read_service_files
from midair.spec.extension import check_extension, check_proxies
from midair.spec.name import project_name as name_of
from midair.spec.node import Mark, Node, notes, plain
from midair.spec.normalize import normalize, prune
from midair.spec.own_files import without_own_files
from midair.spec.paths import join_path
from midair.spec.problems import Problems, join
from midair.spec.profile import activate
from midair.spec.shared_names import with_names
from midair.spec.source import Reader, Sources
from midair.spec.table.midair import PROJECT as EXTENSION
from midair.spec.table.midair import SERVICE as SERVICE_EXTENSION
from midair.spec.table.project import PROJECT


def load(
    files: Sequence[str],
    reader: Reader,
    environment: Mapping[str, str],
    *,
    folder: str | None = None,
    project_name: str | None = None,
    profiles: Sequence[str] = (),
    shell: Mapping[str, str] | None = None,
) -> Project:
    """Read Compose files, merged in order, and say what should run. Raises FileRefused with all problems."""
    paths = tuple(files)
    folder = folder or (join_path(paths[0], "..") if paths else "/")
    problems = Problems()
    sources = Sources(reader, folder, problems)
    name, named = name_of(sources, paths, project_name, environment, folder)
    variables = {**environment, "COMPOSE_PROJECT_NAME": name}
    model = assemble(sources, paths, folder, variables)
    if model is None or not (services := model.get("services")) or not services.value:
        if not problems.found:
            problems.add("services", "there are none", Mark(sources.label(paths[0]), 1, 1) if paths else None)
        problems.refuse()
        raise AssertionError("a project without services was refused")
    model = normalize(model, name, variables, problems)
    model = activate(model, profiles, problems)
    model = read_service_files(model, sources, folder, variables)
    cross_check(model, problems)
    check_proxies(model, "", problems)
    for key, service in model.value["services"].entries():
        check_extension(service, join("services", key), problems)
    problems.refuse()
    project = _project(prune(model), name, named, folder, paths, _warnings(sources, model), shell or {})
    return without_own_files(project, sources.files)


def _project(
    model: Node, name: str, named: Named, folder: str, files: tuple[str, ...], warnings: tuple[str, ...],
    shell: Mapping[str, str],
) -> Project:  # fmt: skip
    fields = with_names(canonical(PROJECT, model, extensions=True), name)
    extension = model.get("x-midair")
    own: dict[str, Any] = canonical(EXTENSION, extension) if extension is not None else {}
    runtime = own.get("runtime") or _runtime_for(fields["services"])
    services: dict[str, Service] = {}
    for key, node in model.value["services"].entries():
        said = node.get("x-midair")
        service_own = canonical(SERVICE_EXTENSION, said) if said is not None else {}
        if "trusted_proxies" in own:
            service_own.setdefault("trusted_proxies", own["trusted_proxies"])
        services[key] = typed.service(key, fields["services"][key], service_own, folder, runtime, fields.get("secrets"))
    return Project(
        name=name,
        named=named,
        services=services,
        folder=folder,
        files=files,
        fields=fields,
        extension=own,
        warnings=warnings,
        shell=dict(shell),
    )


def _runtime_for(services: Mapping[str, Any]) -> str:
    """Where the file does not say: plain processes, unless it has a service that only an image can run."""
    return "docker" if any(_needs_image(fields) for fields in services.values()) else "process"


def _needs_image(fields: Mapping[str, Any]) -> bool:
    if (fields.get("x-midair") or {}).get("runtime") or "provider" in fields:
        return False
    has_words = fields.get("command") is not None or fields.get("entrypoint") is not None
    return not has_words or ("image" in fields and "build" not in fields)


def _unset(name: str) -> str:
    given = name in ("PORT", "MIDAIR_SERVICE", "MIDAIR_REPLICA", "MIDAIR_REVISION")
    hint = f"; write $${name} for what each replica is given" if given else ""
    return f'variable "{name}" is not set: it is empty{hint}'


def _warnings(sources: Sources, model: Node) -> tuple[str, ...]:
    unset = [_unset(name) for name in sources.unset]
    unset += sources.notes
    ranges = []
    for key, service in model.value["services"].entries():
        ranges += [f"service {key}: {path}: {note}" for path, note in notes(service)]
        for port in plain(service.get("ports") or service.with_value([])):
            if "-" in port.get("published", ""):
                first = port["published"].split("-")[0]
                ranges.append(f"service {key}: of the range {port['published']} only port {first} is used")
            if port.get("published", "") in ("", "0"):
                ranges.append(f"service {key}: port {port['target']} is not published: the file names no port for it")
            if port.get("protocol") == "sctp":
                ranges.append(f"service {key}: port {port['target']}/sctp is not routed")
    return (*unset, *ranges)
