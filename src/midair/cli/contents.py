"""What configs and secrets hold, read when a change is asked for: part of its revisions, so undo brings it back."""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from midair.errors import FileRefused, Problem
from midair.model.project import Project, Service
from midair.spec.building import secret_id

KINDS = ("configs", "secrets")
LARGEST = 1_000_000  # bytes of one config or secret: what Swarm and Kubernetes take, roughly


def with_contents(project: Project, variables: Mapping[str, str]) -> Project:
    """The project with the digest of each content in its services. Raises FileRefused with all that is wrong.

    Plain processes mount nothing, so nothing is read for them.
    """
    problems: list[Problem] = []
    held: dict[str, bytes] = {}
    for kind in KINDS:
        for name in sorted(_used(project, kind)):
            entry = (project.fields.get(kind) or {}).get(name) or {}
            try:
                content = _content(entry, project.folder, variables)
            except (OSError, ValueError) as error:
                said = (getattr(error, "strerror", None) or str(error)).lower()
                problems.append(Problem(f"{kind}.{name}", f"cannot be read: {said}", _place(entry, project)))
            else:
                held |= {f"{kind}.{name}": content} if content is not None else {}
    for name, variable in sorted(_build_secrets(project).items()):
        if variable in variables:
            held[name] = variables[variable].encode()
        else:
            problems.append(Problem(name, f'cannot be read: variable "{variable}" is not set', _place({}, project)))
    if problems:
        raise FileRefused(tuple(problems))
    if not held:
        return project
    digests = {name: sha256(content).hexdigest() for name, content in held.items()}
    services = {name: _with_digests(service, digests) for name, service in project.services.items()}
    captured = {digests[name]: content for name, content in held.items()}
    return replace(project, services=services, captured=captured)


def _build_secrets(project: Project) -> dict[str, str]:
    """Variables whose values are secrets of builds, by the name of the secret's content in its service."""
    return {
        f"build.{secret_id(entry)}": str(variable)
        for service in project.services.values()
        if service.can.mounts
        for entry in (service.fields.get("build") or {}).get("secrets") or ()
        if (variable := ((project.fields.get("secrets") or {}).get(entry["source"]) or {}).get("environment"))
    }


def _used(project: Project, kind: str) -> set[str]:
    return {
        entry["source"]
        for service in project.services.values()
        if service.can.mounts
        for entry in service.fields.get(kind) or ()
    }


def _with_digests(service: Service, digests: Mapping[str, str]) -> Service:
    if not service.can.mounts:
        return service
    names = [f"{kind}.{entry['source']}" for kind in KINDS for entry in service.fields.get(kind) or ()]
    names += [f"build.{name}" for name, path in (service.build.secrets if service.build else {}).items() if not path]
    return replace(service, contents={name: digests[name] for name in names if name in digests})


def _content(entry: Mapping[str, Any], folder: str, variables: Mapping[str, str]) -> bytes | None:
    """None: it is not the file's to say, as with external ones."""
    if "content" in entry:
        return str(entry["content"]).encode()
    if "environment" in entry:
        if entry["environment"] not in variables:
            raise ValueError(f'variable "{entry["environment"]}" is not set')
        return variables[entry["environment"]].encode()
    if "file" not in entry:
        return None
    with Path(folder, entry["file"]).expanduser().open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"larger than {LARGEST} bytes")
    return data


def _place(entry: Mapping[str, Any], project: Project) -> str:
    return str(entry.get("file") or next(iter(project.files), ""))
