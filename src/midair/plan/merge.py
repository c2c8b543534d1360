"""Three-way merge: what was last applied, what the file says, and what commands set in between."""

from collections.abc import Mapping

import msgspec

from midair.model.project import Applied, Override, Project, Service


class Merged(msgspec.Struct, frozen=True):
    """The project to be, with the overrides that go on, each named for people."""

    project: Project
    overrides: tuple[Override, ...] = ()
    drift: tuple[str, ...] = ()


def merge(before: Applied | None, project: Project, only: frozenset[str] | None = None) -> Merged:
    """The file, with the overrides that it does not contradict. `only`: all other services stay as they are."""
    if before is None:
        services = {name: service for name, service in project.services.items() if only is None or name in only}
        return Merged(msgspec.structs.replace(project, services=services))
    services = dict(project.services) if only is None else _partly(before.project.services, project.services, only)
    kept = tuple(override for override in before.overrides if _goes_on(override, services, only))
    drift = []
    for override in kept:
        services[override.service] = _with_replicas(services[override.service], override.replicas)
        drift.append(_told(override))
    return Merged(msgspec.structs.replace(project, services=services), kept, tuple(drift))


def scaled(before: Applied, service: str, replicas: int) -> Applied:
    """The state after `scale`: a new replica count, recorded as an override unless it is what the file says."""
    now = before.project.services[service]
    earlier = {override.service: override for override in before.overrides}
    file = earlier[service].file if service in earlier else now.replicas
    earlier.pop(service, None)
    if replicas != file:
        earlier[service] = Override(service, replicas, file)
    services = {**before.project.services, service: _with_replicas(now, replicas)}
    revision = before.revisions[service]
    return msgspec.structs.replace(
        before,
        project=msgspec.structs.replace(before.project, services=services),
        revisions={**before.revisions, service: msgspec.structs.replace(revision, service=services[service])},
        overrides=tuple(earlier.values()),
    )


def emptied(before: Applied) -> Applied:
    """The state after `down`: the same project with no service."""
    return Applied(msgspec.structs.replace(before.project, services={}), {}, flags=before.flags)


def _partly(old: Mapping[str, Service], new: Mapping[str, Service], only: frozenset[str]) -> dict[str, Service]:
    """The file's order, with what runs for the services that were not asked for."""
    services = {name: new[name] if name in only else old[name] for name in new if name in only or name in old}
    return services | {name: service for name, service in old.items() if name not in services}


def _goes_on(override: Override, services: Mapping[str, Service], only: frozenset[str] | None) -> bool:
    if override.service not in services:
        return False
    if only is not None and override.service not in only:
        return True
    return services[override.service].replicas == override.file


def _told(override: Override) -> str:
    return f"{override.service}: {override.replicas} replicas, set by scale (the file says {override.file})"


def _with_replicas(service: Service, replicas: int) -> Service:
    return msgspec.structs.replace(service, replicas=replicas)
